"""What every command is: a frozen pydantic model that carries the facts, times and new ids of its decision."""

from pydantic import BaseModel, ConfigDict


class Command(BaseModel):
    """The base of all commands. An unknown field is an error, so that a misspelt one is not lost silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")
