from hypothesis import given
from hypothesis import strategies as st

from degradekit.philox import first_words
from degradekit.rng import philox4x32

UINT64 = st.integers(0, 2**64 - 1)
LOW = 2**32 - 1


@given(UINT64, UINT64, UINT64)
def test_machine_code_gives_the_words_of_the_definition(key: int, stream: int, index: int) -> None:
    counter = (index & LOW, index >> 32, stream & LOW, stream >> 32)
    low, high, _, _ = philox4x32(counter, (key & LOW, key >> 32))
    assert first_words(key, stream, index) == high << 32 | low
