"""What the agent writes is what the format's own readers read, and what they could not read is refused."""

import pytest
from values import EXPRESSIBLE, LARGE, POOL, has_noncharacter, named

# Which functions of `readers` read a format.
READERS = {
    "shell": ["dash", "bash"],
    "kubelet": ["kubelet", "dash_allexport", "bash_allexport", "systemd", "python_dotenv", "javascript_dotenv"],
    "docker": ["docker", "podman"],
    "json": ["python_json", "javascript_json"],
    "yaml": ["python_yaml", "libyaml"],
    "properties": ["java_bytes", "java_text"],
}


def _is_no_plain_text(value):
    return "\\" in value or "\r" in value


# What the documentation says they do not read of what the format's own reader does.
EXCEPT = {
    "systemd": has_noncharacter,
    "python_dotenv": _is_no_plain_text,
    "javascript_dotenv": _is_no_plain_text,
}

BY_READER = [(file_format, reader) for file_format, names in READERS.items() for reader in names]


@pytest.mark.parametrize(("file_format", "reader"), BY_READER)
def test_a_reader_gets_back_what_was_written(read_back, file_format, reader):
    hidden = EXCEPT.get(reader, lambda value: False)
    values = named(value for value in POOL if EXPRESSIBLE[file_format](value) and not hidden(value))
    assert len(values) > 200
    assert read_back(file_format, reader, values) == values


@pytest.mark.parametrize(("file_format", "reader"), BY_READER)
def test_a_reader_gets_back_the_largest_values_of_a_vault(read_back, file_format, reader):
    hidden = EXCEPT.get(reader, lambda value: False)
    # Two fit into what the kubelet reads.
    values = [value for value in LARGE if EXPRESSIBLE[file_format](value) and not hidden(value)]
    for first in range(0, len(values), 2):
        pair = named(values[first : first + 2])
        assert read_back(file_format, reader, pair) == pair


@pytest.mark.parametrize("file_format", [name for name in EXPRESSIBLE if name != "shell"])
def test_what_a_format_cannot_express_is_refused(write, file_format):
    refused = [value for value in POOL if not EXPRESSIBLE[file_format](value)]
    assert refused
    # A few dozen from all over, since each is a run of its own.
    for value in refused[:: len(refused) // 40 + 1]:
        code, complaint = write(file_format, {"SECRET": value})
        assert code == 73, (value, complaint)
        assert "SECRET" in complaint and f"the format '{file_format}' cannot express" in complaint
        assert not write.file.exists()


@pytest.mark.parametrize("reader", READERS["docker"])
def test_the_longest_line_for_docker(write, read_back, reader):
    longest = {"A": "x" * (0xFFFF - len("A=")), "B": "y"}
    assert read_back("docker", reader, longest) == longest
    code, complaint = write("docker", {"A": longest["A"] + "x"})
    assert code == 73 and "64 KiB" in complaint


@pytest.mark.parametrize("reader", READERS["yaml"])
def test_the_longest_name_for_yaml(write, read_back, reader):
    longest = {"A" * 1022: "x"}
    assert read_back("yaml", reader, longest) == longest
    code, complaint = write("yaml", {"A" * 1023: "x"})
    assert code == 73 and "1022" in complaint


@pytest.mark.parametrize("reader", READERS["yaml"])
def test_names_that_yaml_would_take_for_something_else(read_back, reader):
    values = dict.fromkeys(["NO", "Y", "null", "True", "_1", "on"], "x")
    assert read_back("yaml", reader, values) == values


@pytest.mark.parametrize("file_format", EXPRESSIBLE)
def test_a_file_that_is_right_is_left_alone(write, file_format):
    values = named(value for value in POOL if EXPRESSIBLE[file_format](value))
    assert write(file_format, values)[0] == 0
    before = write.file.stat()
    assert write(file_format, values)[0] == 0
    after = write.file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert write(file_format, {**values, "V0": "other"})[0] == 0
    assert write.file.stat().st_ino != before.st_ino
