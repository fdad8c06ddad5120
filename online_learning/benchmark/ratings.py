"""Contenders for ratings of 1 to 5: those of River's documentation, and ours."""

from __future__ import annotations

from river import dummy, optim, reco, stats

from online_learning.benchmark.blend import Blend
from online_learning.benchmark.contender import Entry, Recommender, Regressor

LOW, HIGH = 1.0, 5.0


def _baseline(rate: float) -> Recommender:
    return Recommender(reco.Baseline(optimizer=optim.SGD(rate), l2=0.0), LOW, HIGH)


def _factors(bias_rate: float, rate: float, *, l2_bias: float = 0.0, l2: float = 0.0) -> Recommender:
    return Recommender(
        reco.BiasedMF(
            n_factors=10,
            bias_optimizer=optim.SGD(bias_rate),
            latent_optimizer=optim.SGD(rate),
            weight_initializer=optim.initializers.Zeros(),
            latent_initializer=optim.initializers.Normal(mu=0.0, sigma=0.1, seed=73),
            l2_bias=l2_bias,
            l2_latent=l2,
        ),
        LOW,
        HIGH,
    )


def _blend() -> Blend:
    members = {"biases": _baseline(0.05), "factors": _factors(0.04, 0.03, l2_bias=0.02, l2=0.05)}
    return Blend(members, rate=0.001, low=LOW, high=HIGH)


ENTRIES = (
    Entry(
        name="running mean",
        make=lambda _: Regressor(dummy.StatisticRegressor(stats.Mean()), LOW, HIGH),
        says="the mean of all ratings so far",
    ),
    Entry(name="biases", make=lambda _: _baseline(0.025), says="river.reco.Baseline, SGD(0.025)"),
    Entry(
        name="biased factors",
        make=lambda _: _factors(0.025, 0.05),
        says="river.reco.BiasedMF, 10 factors, SGD(0.025) and SGD(0.05)",
    ),
    Entry(
        name="blend",
        make=lambda _: _blend(),
        says="biases and factors that learn faster, weighed with recent and long means of user and item",
        ours=True,
    ),
)
