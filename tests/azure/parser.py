"""Parses commands with the parser of the real az, and runs none of them.

Runs in the environment of azure-cli. Reads one JSON object per line, {"argv": […], "complete": bool}, and
answers with one line each: null, or what is wrong. A command in the running text of a document need not be
complete: it may leave out options that are required.
"""

import contextlib
import io
import json
import sys

from azure.cli.core import get_default_cli


def problem(argv, complete):
    cli = get_default_cli()
    invocation = cli.invocation_cls(
        cli_ctx=cli, parser_cls=cli.parser_cls, commands_loader_cls=cli.commands_loader_cls, help_cls=cli.help_cls
    )
    cli.invocation = invocation
    loader = invocation.commands_loader
    loader.load_command_table(argv)
    name = command_name(argv, loader.command_table)
    # Looked up here, because the parser itself would ask the network for what may have been meant.
    if name is None:
        return "no such command"
    command = loader.command_table[name]
    loader.command_table = {name: command}
    loader.command_name = invocation.data["command_string"] = name
    loader.load_arguments(name)
    invocation.parser.cli_ctx = cli
    invocation.parser.load_command_table(loader)
    [parser] = [parser for words, parser in invocation.parser.subparser_map.items() if words == name]
    if not complete:
        for action in parser._actions:
            action.required = False
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parsed = invocation.parser.parse_args(argv)
    except SystemExit:
        return (said.getvalue().strip() or "refused without a reason").splitlines()[0]
    given = {word.partition("=")[0] for word in argv}
    previews = sorted(given.intersection(preview_flags(parser)))
    if previews or command.preview_info:
        return f"needs a preview: {' '.join([name, *previews])}"
    return None if parsed.command == name else f"parsed as {parsed.command}"


def preview_flags(parser):
    return {
        flag
        for action in parser._actions
        if getattr(action, "preview_info", None)
        for flag in action.option_strings
    }


def command_name(argv, table):
    """The longest beginning of `argv` that is a command; whatever follows is for its parser."""
    words = []
    for word in argv:
        if word.startswith("-"):
            break
        words.append(word)
    for length in range(len(words), 0, -1):
        if " ".join(words[:length]) in table:
            return " ".join(words[:length])
    return None


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(problem(asked["argv"], asked["complete"])), flush=True)


if __name__ == "__main__":
    main()
