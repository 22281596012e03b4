"""Source images: list them, read their headers, decode them strictly to sRGB, cut HR crops from them."""
