"""Which answers of a bucket are final."""

import pytest
from obstore.exceptions import BaseError

from sweeper.record.buckets.bucket import _is_refused


@pytest.mark.parametrize(("code", "is_refused"), [(403, True), (404, True), (409, False)])
def test_what_is_tried_again(code: int, is_refused: bool) -> None:
    error = BaseError(f"Generic S3 error: … status code: {code} …")
    assert _is_refused(error) == is_refused
