"""Running networks on files: pictures, folders and videos, in tiles and windows where memory is short."""
