"""The benchmark of seeds in one program takes starting off both sides."""

from benchmarks import seeds_at_once


def test_the_ratio_is_that_of_long_runs(monkeypatch, capsys):
    asked = []

    def cpu_seconds(words):
        typed = dict(word.split("=") for word in words if "=" in word)
        steps, seeds = int(typed["t_max"]), int(typed["seeds_at_once"])
        asked.append((typed["--config"], typed["seed"], seeds, steps))
        return 4.0 if steps == seeds_at_once.START else 4.0 + steps * (0.01 if seeds == 1 else 0.02)

    monkeypatch.setattr(seeds_at_once, "cpu_seconds", cpu_seconds)
    seeds_at_once.main(
        ["--config=vdn", "--seeds", "4", "--steps", "500", "--rounds", "2", "with", "batch_size=4"]
    )
    assert capsys.readouterr().out.splitlines()[-1] == "median 2.00 (2.00 to 2.00)"
    assert asked[2:] == [
        ("vdn", "1", 1, 500),
        ("vdn", "1", 4, 500),
        ("vdn", "2", 1, 500),
        ("vdn", "2", 4, 500),
    ]
