"""Settings of the run itself: how long, how often, where to, what from."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from cohort.configuration.paths import PathText
from cohort.configuration.teams import SideSettings, refuse_unfit, spelt_out
from cohort.settings import Settings

LONGEST_RUN = 10**15  # environment steps


class RunSettings(Settings):
    name: str = Field(
        min_length=1, pattern=r"^[^/\\]+$", description="the method's name in records and folder names"
    )
    label: str = Field(
        pattern=r"^[^/\\]*$", description="your own word for this run, added to its folder's name"
    )
    seed: int = Field(ge=0, lt=2**63, description="the same seed repeats the run bit for bit (CPU)")
    seeds_at_once: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="train this many seeds, from `seed` on, in one program: each a run of its own, as if it were alone",
    )
    t_max: int = Field(ge=1, le=LONGEST_RUN, description="environment steps to train for")
    test_interval: int = Field(ge=1, description="environment steps between two evaluations")
    test_nepisode: int = Field(ge=1, description="episodes of each evaluation")
    log_interval: int = Field(ge=1, description="environment steps between two lines of training metrics")
    use_cuda: bool = Field(description="train and simulate on the GPU when there is one")
    torch_threads: int = Field(ge=1, le=1024, description="CPU threads of each process")
    native_code: bool = Field(
        default=True,
        description="loops of recurrent networks in C, where there is a compiler; the numbers differ in rounding",
    )
    local_results_path: PathText = Field(min_length=1, description="the folder that run folders are made in")
    teams: dict[str, SideSettings] = Field(
        default={},
        description="the sides of a game: each name with its agents, and who plays it; none: all agents are one team",
    )
    when_diverged: Literal["stop", "go_on"] = Field(
        description="what to do once a metric is no longer finite; either way the run ends as DIVERGED"
    )
    use_tensorboard: bool = Field(description="write TensorBoard events into the run's folder as well")
    use_wandb: bool = Field(description="log the metrics to Weights & Biases as well")
    wandb_project: str = Field(min_length=1, max_length=128, description="the project there")
    wandb_team: str | None = Field(description="the team or user there that the project belongs to")
    wandb_mode: Literal["online", "offline", "disabled"] = Field(
        description="offline keeps everything in the run's folder, for `wandb sync`"
    )
    mongo_database: str = Field(
        max_length=63, pattern=r"^[\w-]+$", description="the database that --mongo=<url> adds this run to"
    )
    checkpoint_interval: int = Field(
        ge=1, description="environment steps between two checkpoints to resume from"
    )
    save_model: bool = Field(description="keep the networks of several moments in the run's models folder")
    save_model_interval: int = Field(ge=1, description="environment steps between two of them")
    save_best: str | None = Field(
        default=None,
        min_length=1,
        description="keep the model of the evaluation at which this metric was largest, as test_return_mean, in the "
        "run's best.pt; null: none",
    )
    transfer_from: PathText = Field(
        default="",
        description="another run, on whatever map, or one of its models: what matches its networks by name and shape "
        "is taken over, and training begins at step 0",
    )
    checkpoint_path: PathText = Field(
        description="a run, its models folder, one model in it or its best.pt, to start from"
    )
    load_step: int = Field(ge=0, description="the step of the model to load: the nearest one; 0 is the last")
    evaluate: bool = Field(description="evaluate the loaded model over test_nepisode episodes and stop")

    save_replay: bool = Field(
        description="with evaluate=True: keep the evaluation's first game to be watched, in the run's replays folder"
    )
    replay_format: Literal["mp4", "gif"] = Field(
        description="kind of video; the real game writes its own replays"
    )
    replay_agent: int | None = Field(
        ge=0, description="number of the agent whose sight the video shows; null for none"
    )

    @field_validator("teams", mode="before")
    @classmethod
    def teams_may_be_short(cls, teams: Mapping[Any, Any]) -> dict[str, Any]:
        return spelt_out(teams)

    @field_validator("teams")
    @classmethod
    def teams_fit_together(cls, teams: dict[str, SideSettings]) -> dict[str, SideSettings]:
        refuse_unfit(teams)
        return teams

    @model_validator(mode="after")
    def a_replay_is_of_an_evaluation(self) -> Self:
        if self.save_replay and not self.evaluate:
            raise ValueError(
                "save_replay=True needs evaluate=True checkpoint_path=<run folder or models folder>"
            )
        return self

    @model_validator(mode="after")
    def several_seeds_train(self) -> Self:
        if self.seeds_at_once > 1 and self.evaluate:
            raise ValueError(
                f"seeds_at_once={self.seeds_at_once} trains; evaluate=True is of one model: leave one of them out"
            )
        if self.seed + self.seeds_at_once > 2**63:
            raise ValueError(
                f"seeds_at_once={self.seeds_at_once}: there are not so many seeds from seed={self.seed} on"
            )
        return self

    @model_validator(mode="after")
    def networks_come_from_one_place(self) -> Self:
        if self.transfer_from and self.checkpoint_path:
            raise ValueError(
                "transfer_from begins a new run with what matches of another's networks, checkpoint_path goes on with "
                "all of a model's: give one of them"
            )
        return self

    @model_validator(mode="after")
    def one_team_is_taken_over(self) -> Self:
        if self.transfer_from and self.teams:
            raise ValueError(
                "transfer_from takes over the networks of one team, and teams has several: begin with a run of the "
                "same teams by checkpoint_path, or leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def evaluation_has_a_model(self) -> Self:
        if self.evaluate and not self.checkpoint_path:
            raise ValueError("evaluate=True needs checkpoint_path=<run folder or models folder>")
        return self
