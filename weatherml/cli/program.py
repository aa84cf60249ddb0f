"""What holds of every verb: how a mistake ends it, and how it writes the options that mend one."""

from typing import Any

import typer.core

from weatherml.cli.exit_codes import in_one_line
from weatherml.errors import Option, Spelling

_FLAGS = {"lead_time": "lead", "init_time": "init", "time_step": "step", "numbers": "only_member", "metrics": "metric"}
"""What flags are called whose settings have another name."""
_FORECAST = "forecast"


class Program(typer.core.TyperGroup):
    """Verbs; a user's mistake is one line and exit code 2, an interruption one line and 130."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the words before a verb."""
        with in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        with in_one_line(lambda option: spelling_of(self.get_command(ctx, ctx.invoked_subcommand or ""))(option)):
            return super().invoke(ctx)


def spelling_of(verb: Any) -> Spelling:
    """Return how a verb writes an option; what it has no way to say, it never offers."""
    own = {parameter.name: parameter for parameter in getattr(verb, "params", ())}

    def spell(option: Option) -> str:
        *groups, name = option.key.split(".")
        settings = own.get("settings")
        flag = own.get(_FLAGS.get(name, name)) if not groups or (settings and not groups[1:]) else None
        if flag is not None:
            word = max(flag.opts, key=len)
            return word if flag.is_flag else f"{word} {_words(option.value)}"
        if settings is None or not groups:
            return ""
        if settings.param_type_name == "argument":
            return f"{option.key}={option.value}"
        return f"--set {'.'.join([*groups[1:], name])}={option.value}" if groups[0] == _FORECAST else ""

    return spell


def _words(value: object) -> str:
    """Write a value as it stands behind a flag: a dictionary as `own=name`."""
    return " ".join(f"{key}={name}" for key, name in value.items()) if isinstance(value, dict) else str(value)
