"""Rules that stop trials, against Optuna's own; schedules, by hand."""

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest

from nnperf_utils import halving

optuna.logging.set_verbosity(optuna.logging.ERROR)


def drawn_curves(seed, trials=30):
    """Return noisy curves, with ties, of trials that end at different heights."""
    draw = np.random.default_rng(seed)
    end, pace = draw.uniform(0.5, 1, trials), draw.uniform(0.5, 12, trials)
    rise = end[:, None] * (1 - np.exp(-np.arange(1, 28) / pace[:, None]))
    return (rise + draw.normal(0, 0.04, rise.shape)).round(2)


def by_optuna(curves, pruner):
    """Return after how many epochs Optuna itself stops each trial."""
    study = optuna.create_study(direction="maximize", pruner=pruner)
    lengths = []
    for curve in curves:
        trial = study.ask()
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, epoch)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, curve[-1])
        lengths.append(epoch)
    return lengths, study


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("rule", "pruner"),
    [
        (
            halving.halving_rule,
            optuna.pruners.SuccessiveHalvingPruner(1, reduction_factor=3),
        ),
        (halving.median_rule, optuna.pruners.MedianPruner()),
    ],
)
def test_rules_are_optunas(rule, pruner, seed):
    curves = drawn_curves(seed)
    lengths, study = by_optuna(curves, pruner)
    assert rule(curves).tolist() == lengths
    winner, epochs = halving.stopped(curves, rule)
    assert epochs == sum(lengths)
    assert curves[winner, -1] == study.best_value
    assert winner == study.best_trial.number


def test_halving_by_hand():
    # 1 epoch, then 3; of fewer than three only the best goes on
    scores = [[0.5, 0, 0.6], [0.4, 0, 0.9], [0.6, 0, 0.7], [0.6, 0, 0.8]]
    assert halving.halving_rule(np.array(scores)).tolist() == [3, 1, 3, 3]


def test_epochs_must_be_a_power():
    assert halving.rungs_to(27) == [1, 3, 9, 27]
    with pytest.raises(ValueError, match="epochs is 20; expected 1 times a power of 3"):
        halving.rungs_to(20)


def test_last_end_by_hand():
    assert halving.makespan([3, 1, 1, 1, 2], 2) == 5
    assert halving.makespan([3, 1, 1, 1, 2], 1) == 8
    assert halving.makespan([2, 2], [1.0, 5.0]) == 5  # both by the first: 3, then 5
    assert halving.makespan([2, 2, 2], [1.0, 5.0]) == 7


def test_end_is_between_its_bounds():
    draw = np.random.default_rng(0)
    for workers in (1, 2, 5, 40):
        lengths = draw.lognormal(size=30)
        least = max(lengths.sum() / workers, lengths.max())
        end = halving.makespan(lengths, workers)
        assert least <= end + 1e-9
        assert end <= lengths.sum() / workers + lengths.max()


def test_speed_up_of_equal_trials_is_whole():
    speeds = halving.speed_up(np.array([2.0]), [1, 2, 8, 64, 128])
    np.testing.assert_allclose(speeds.iloc[0], [1, 2, 8, 64, 64])
    assert speeds.index.name == "seed"
    assert len(speeds) == 20


def test_synchronous_by_hand():
    # 9 trials, 3 workers, equal lengths: 3 rounds of 1 epoch, one of 2, then 6
    curves = np.tile(np.arange(9.0)[:, None], 9)
    done = halving.synchronous(curves, np.ones(9), 3)
    assert done.end == 3 + 2 + 6
    assert done.chosen(curves) == 8
    assert done.idle == pytest.approx(1 - (9 + 3 * 2 + 6) / (3 * 11))
    assert done.first_whole == 11
    assert sorted(j.trial for j in done.jobs if j.rung == 1) == [6, 7, 8]


def test_asynchronous_by_hand():
    # one worker, trials that are each better than the last
    curves = np.tile(np.arange(30.0)[:, None], 9)
    done = halving.asynchronous(curves, np.ones(30), 1, until=14)
    told = [(job.trial, job.rung) for job in done.jobs]
    # after three trials the best goes on, and then each that is the best so far
    assert told == [
        (0, 0),
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
        (4, 0),
        (4, 1),
        (4, 2),
    ]
    assert done.idle == 0
    assert done.chosen(curves) == 4
    with pytest.raises(ValueError, match="used up before 14; give more"):
        halving.asynchronous(curves[:3], np.ones(3), 1, until=14)


def test_asynchronous_trials_are_sent_on_once_and_in_order():
    curves = drawn_curves(5, 300)
    seconds = np.random.default_rng(1).lognormal(size=300)
    done = halving.asynchronous(curves, seconds, 8, until=60)
    pairs = [(job.trial, job.rung) for job in done.jobs]
    assert len(set(pairs)) == len(pairs)
    ends = {}
    for job in done.jobs:
        if job.rung:
            assert ends[job.trial, job.rung - 1] <= job.begin
        ends[job.trial, job.rung] = job.end
    for worker in range(8):  # one job at a time, without a gap
        own = [job for job in done.jobs if job.worker == worker]
        assert own[0].begin == 0
        np.testing.assert_allclose(
            [j.begin for j in own[1:]], [j.end for j in own[:-1]]
        )
        assert own[-1].end >= 60
    assert done.idle == pytest.approx(0)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_a_dead_worker_had_is_done_by_another(share):
    curves, crash = drawn_curves(2, 200), halving.Crash(1, share, noticed=3)
    waits = halving.synchronous(curves[:27], np.ones(27), 4, crash=crash)
    never = halving.asynchronous(curves, np.ones(200), 4, 60, crash=crash)
    for done in (waits, never):
        (lost,) = [job for job in done.jobs if job.lost]
        assert (lost.worker, lost.end) == (1, share)
        (again,) = [j for j in done.jobs if (j.trial, j.rung) == (1, 0) and not j.lost]
        assert again.begin >= share + 3
        assert again.worker != 1
        assert all(job.worker != 1 for job in done.jobs if job is not lost)
    whole = halving.synchronous(curves[:27], np.ones(27), 4)
    assert waits.chosen(curves) == whole.chosen(curves)
    assert waits.end > whole.end
    assert waits.idle > whole.idle


def test_pictures_show_what_was_simulated():
    curves = drawn_curves(3, 200)
    waits = halving.synchronous(curves[:27], np.ones(27), 4)
    (ax,) = halving.bars({"synchronous": waits})
    assert len(ax.patches) == len(waits.jobs)
    assert f"idle {waits.idle:.0%}" in ax.get_title(loc="left")
    lengths = halving.halving_rule(curves[:27])
    ax = halving.stopped_curves(curves[:27], lengths)
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert len(crosses) == (lengths < 27).sum()
    ax = halving.speed_lines(halving.speed_up(np.array([1.0, 2.0]), [1, 2, 4]))
    assert ax.lines[1].get_ydata()[0] == 1
    plt.close("all")
