"""Settings of the run itself: how long, how often, where to, what from."""

from typing import Self

from pydantic import Field, model_validator

from src.settings import Settings


class RunSettings(Settings):
    name: str = Field(
        min_length=1, pattern=r"^[^/\\]+$", description="the method's name in records and folder names"
    )
    label: str = Field(
        pattern=r"^[^/\\]*$", description="your own word for this run, added to its folder's name"
    )
    seed: int = Field(ge=0, lt=2**63, description="the same seed repeats the run bit for bit (CPU)")
    t_max: int = Field(ge=1, description="environment steps to train for")
    test_interval: int = Field(ge=1, description="environment steps between two evaluations")
    test_nepisode: int = Field(ge=1, description="greedy episodes of each evaluation")
    log_interval: int = Field(ge=1, description="environment steps between two lines of training metrics")
    use_cuda: bool = Field(description="train and simulate on the GPU when there is one")
    torch_threads: int = Field(ge=1, le=1024, description="CPU threads of each process")
    local_results_path: str = Field(min_length=1, description="the folder that run folders are made in")
    use_tensorboard: bool = Field(description="write TensorBoard events into the run's folder as well")
    checkpoint_interval: int = Field(
        ge=1, description="environment steps between two checkpoints to resume from"
    )
    save_model: bool = Field(description="keep the networks of several moments in the run's models folder")
    save_model_interval: int = Field(ge=1, description="environment steps between two of them")
    checkpoint_path: str = Field(description="a run, its models folder or one model in it, to start from")
    load_step: int = Field(ge=0, description="the step of the model to load: the nearest one; 0 is the last")
    evaluate: bool = Field(description="evaluate the loaded model over test_nepisode episodes and stop")

    @model_validator(mode="after")
    def evaluation_has_a_model(self) -> Self:
        if self.evaluate and not self.checkpoint_path:
            raise ValueError("evaluate=True needs checkpoint_path=<run folder or models folder>")
        return self
