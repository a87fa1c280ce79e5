"""The measures, against cases with known answers."""

import pytest
import torch

from var_core.measuring.evaluate import Figure, compare, nearest_distance, quality, report
from var_core.measuring.reference import Gaussian, Measured, Probe, Reference, frechet
from var_core.training.features import ImageFeatures


def cloud(seed: int, count: int = 400, width: int = 6, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def gaussian(mean: list[float], variances: list[float]) -> Gaussian:
    spread = torch.diag(torch.tensor(variances).double())
    return Gaussian(torch.tensor(mean).double(), spread.sqrt())


def test_frechet_distance_of_a_set_to_itself_is_zero():
    one = Gaussian.of(cloud(0))
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_diagonal_gaussians_is_the_closed_form():
    a = gaussian([0.0, 0.0], [1.0, 4.0])
    b = gaussian([3.0, 0.0], [4.0, 9.0])
    assert frechet(a, b) == pytest.approx(9 + (1 - 2) ** 2 + (2 - 3) ** 2)


def test_frechet_distance_is_symmetric_and_survives_few_samples():
    a, b = Gaussian.of(cloud(0, count=4)), Gaussian.of(cloud(1, count=5, shift=1.0))
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-6)
    assert frechet(a, b) > 0


@pytest.mark.parametrize("count", [4, 400])
def test_frechet_distance_of_factors_is_that_of_covariances(count):
    clouds = cloud(0, count).double(), 2 * cloud(1, count, shift=0.5).double()
    (first, second), means = (one.T.cov() for one in clouds), [one.mean(0) for one in clouds]
    roots = torch.linalg.eigvals(first @ second).real.clamp_min(0).sqrt()
    wanted = (means[0] - means[1]).square().sum() + first.trace() + second.trace() - 2 * roots.sum()
    assert frechet(*map(Gaussian.of, clouds)) == pytest.approx(wanted.item(), abs=1e-5)


def test_the_probe_separates_what_a_line_can_separate():
    features = torch.cat((cloud(0, shift=-2.0), cloud(1, shift=2.0)))
    labels = torch.tensor([0] * 400 + [1] * 400)
    probe = Probe.fit(features, labels, 2)
    assert probe.correct(features, labels).float().mean() > 0.99
    assert probe.correct(features, 1 - labels).float().mean() < 0.01


def test_nearest_distance_finds_copies():
    among = cloud(0)
    assert nearest_distance(among[5:9], among).max() < 1e-2
    assert nearest_distance(among[5:9] + 3, among).min() > 1


def test_real_pictures_in_the_model_s_place_score_a_ratio_of_one():
    labels = torch.arange(400) % 2
    shift = labels[:, None] * 3.0
    train, val = Measured(cloud(0) + shift, labels), Measured(cloud(1) + shift, labels)
    figures = compare(Reference.of(ImageFeatures(), train, 2), train, val, val.features, val.features, ("a", "b"))
    assert [figure.ratio for figure in figures] == pytest.approx([1.0] * len(figures))


def test_what_another_network_saw_is_told_with_its_name():
    labels = torch.arange(400) % 2
    train, val = Measured(cloud(0), labels), Measured(cloud(1), labels)
    reference = Reference.of(ImageFeatures(), train, 2)
    told = quality(reference, val, val.features, cloud(2, shift=2.0), ", by lite2")
    assert [figure.name for figure in told] == [
        "Fréchet distance to train, reconstructions, by lite2",
        "Fréchet distance to train, generated, by lite2",
        "probe accuracy, generated, by lite2",
    ]
    assert told[0].ratio == pytest.approx(1) and told[1].ratio > 2


def test_copies_of_training_pictures_show_in_the_nearest_distance():
    labels = torch.arange(400) % 2
    train, val = Measured(cloud(0), labels), Measured(cloud(1), labels)
    reference = Reference.of(ImageFeatures(), train, 2)
    figures = {f.name: f for f in compare(reference, train, val, val.features, train.features, ("a", "b"))}
    assert figures["distance to nearest train picture, median"].ratio < 0.1


def test_the_table_has_a_row_for_each_figure():
    rows = report([Figure("a", 1.5, 3.0), Figure("b", 2.0)]).splitlines()
    assert rows[2:] == ["| a | 1.5 | 3 | 0.50 |", "| b | 2 |  |  |"]
