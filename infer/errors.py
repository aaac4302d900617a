"""Errors of running a model: one class per kind of cause, under dataprep's base.

Each message says what is wrong, with the value, what was expected, and what to do next. The classes survive
pickling, so that a worker can raise them.
"""

from dataprep.errors import DataprepError


class ModelError(DataprepError):
    """A model folder, adapter, attention kernel or device cannot be used as asked."""


class ModelMismatchError(ModelError):
    """A model and a shard directory do not belong together.

    Attributes:
        what: The quantity that differs.
        model_value: Its value in the model.
        shards_value: Its value in the shards' manifest.
    """

    def __init__(self, what: str, model_value: object, shards_value: object) -> None:
        super().__init__(what, model_value, shards_value)
        self.what = what
        self.model_value = model_value
        self.shards_value = shards_value

    def __str__(self) -> str:
        return (
            f"{self.what} is {self.model_value} in the model and {self.shards_value} in the shards; "
            "convert the data again with --model pointing at this model's folder"
        )


class SampleError(DataprepError):
    """A sample of a shard cannot become a model input.

    Attributes:
        location: ``path:line`` of the source row.
        detail: What is wrong with it.
    """

    def __init__(self, location: str, detail: str) -> None:
        super().__init__(location, detail)
        self.location = location
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.location}: {self.detail}"
