"""Initial values by hand: from a seed as from its generator, and of a weight's shape alone."""

import numpy as np
import pytest

from tinygrad_res import nn
from tinygrad_res.errors import UsageError

DRAWS = (nn.he_normal, nn.he_uniform, nn.xavier_normal, nn.xavier_uniform)


@pytest.mark.parametrize("draw", DRAWS)
def test_a_seed_draws_what_its_generator_draws(draw):
    drawn = draw(3, (4, 2))
    np.testing.assert_array_equal(drawn, draw(np.random.default_rng(3), (4, 2)))
    assert not np.array_equal(drawn, draw(4, (4, 2)))


def test_a_generator_goes_on_from_one_weight_to_the_next():
    rng = np.random.default_rng(0)
    first = nn.he_normal(rng, (2, 2))
    again = np.random.default_rng(0).standard_normal((2, 2, 2)).astype(np.float32)
    np.testing.assert_array_equal(first, again[0])  # 2 / fan-in is 1
    np.testing.assert_array_equal(nn.he_normal(rng, (2, 2)), again[1])


@pytest.mark.parametrize("shape", [4, (4,), (4, 0), np.random.default_rng(0)])
@pytest.mark.parametrize("draw", DRAWS)
def test_what_is_no_shape_of_a_weight_is_refused(draw, shape):
    with pytest.raises(
        UsageError, match=r"fans: a weight of shape .*: expected \(out, in, \.\.\.\)"
    ):
        draw(0, shape)
