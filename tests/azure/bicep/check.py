"""Whether a Bicep file says what Azure understands: resources against models, names against declarations."""

import re
import typing

from .models import kinds, parts
from .syntax import Expression, SyntaxProblem, parse

# Bicep's own, on every resource.
PLACE = {"name", "parent", "scope"}
TYPES = {"string": str, "int": int, "bool": bool}


def problems(text):
    try:
        file = parse(text)
    except SyntaxProblem as problem:
        return [str(problem)]
    return [*of_names(file), *of_resources(file), *of_paths(file)]


def expressions(value):
    match value:
        case Expression():
            yield value
        case dict():
            for child in value.values():
                yield from expressions(child)
        case list():
            for child in value:
                yield from expressions(child)


def all_expressions(file):
    for resource in file.resources.values():
        yield from expressions([resource.body, resource.condition])
    for group in (file.parameters, file.variables, file.outputs):
        yield from expressions(group)


def of_names(file):
    declared = [*file.parameters, *file.variables, *file.resources]
    for name in sorted({name for name in declared if declared.count(name) > 1}):
        yield f"{name} is declared twice"
    used = {name for expression in all_expressions(file) for name in expression.names}
    for name in sorted(used - set(declared)):
        yield f"{name} is not declared"
    for name in sorted({*file.parameters, *file.variables} - used):
        yield f"{name} is not used"
    for name in file.parameters:
        if not any(decorator.startswith("@description(") for decorator in file.decorators[name]):
            yield f"{name} is not described"


def of_resources(file):
    known = kinds()
    for name, resource in file.resources.items():
        if resource.kind not in known:
            yield f"{name}: {resource.kind} cannot be checked"
            continue
        kind = known[resource.kind]
        if resource.version != kind.version:
            yield f"{name}: version {resource.version} cannot be checked, {kind.version} can"
        yield from of_object(file, name, drop(resource.body), without_place(parts(kind.written)))


def drop(body):
    return {key: value for key, value in body.items() if key not in PLACE}


def without_place(found):
    return {key: part for key, part in found.items() if key not in PLACE}


def of_object(file, where, value, allowed):
    for key, child in value.items():
        if key not in allowed:
            yield f"{where}: there is no {key}"
        elif allowed[key].read_only:
            yield f"{where}: {key} is for Azure to say"
        else:
            yield from of_value(file, f"{where}.{key}", child, allowed[key].type)
    for key, part in allowed.items():
        if part.required and key not in value:
            yield f"{where}: {key} is missing"


def of_value(file, where, value, kind):
    if isinstance(value, Expression):
        if isinstance(kind, frozenset) and value.text in file.parameters:
            yield from of_words(where, allowed_words(file, value.text), kind)
            return
        value = resolved(file, value)
    origin = typing.get_origin(kind)
    if isinstance(value, Expression):
        return
    if isinstance(kind, frozenset):
        if value not in kind:
            yield f"{where}: {value!r} is none of {sorted(kind)}"
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from of_value(file, f"{where}[{index}]", item, typing.get_args(kind)[0])
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from of_value(file, f"{where}.{key}", item, typing.get_args(kind)[1])
    elif isinstance(kind, dict) and isinstance(value, dict):
        yield from of_object(file, where, value, kind)
    elif isinstance(kind, type) and not scalar(kind) and isinstance(value, dict):
        yield from of_object(file, where, value, parts(kind))
    elif not (scalar(kind) and type(value) is kind) and not (isinstance(value, type) and value is kind):
        yield f"{where}: {value!r} is no {getattr(kind, '__name__', kind)}"


def of_words(where, words, kind):
    if not words or not words <= kind:
        yield f"{where}: of {sorted(words)} not all are among {sorted(kind)}"


def allowed_words(file, parameter):
    """What the parameter may be, by its decorator."""
    allowed = [decorator for decorator in file.decorators[parameter] if decorator.startswith("@allowed(")]
    return set(re.findall(r"'([^']*)'", "".join(allowed)))


def scalar(kind):
    return kind in (str, int, bool)


def resolved(file, expression):
    """What a variable holds, the type of a parameter, or the type of a text with places in it."""
    if expression.text in file.variables:
        value = file.variables[expression.text]
        return resolved(file, value) if isinstance(value, Expression) else value
    if expression.text in file.parameters:
        return TYPES[file.types[expression.text]]
    if expression.text.startswith("'"):
        return str
    return expression


def of_paths(file):
    """Properties that are read of a resource."""
    known = kinds()
    for expression in all_expressions(file):
        for name, path in re.findall(r"(?<![\w.])(\w+)\.([\w.]+)", expression.text):
            if name in file.resources and file.resources[name].kind in known:
                yield from of_path(f"{name}.{path}", path.split("."), known[file.resources[name].kind].read)


def of_path(where, path, model):
    found = model
    for step in path:
        found = (found if isinstance(found, dict) else parts(found)).get(step)
        if found is None:
            yield f"{where}: there is no {step}"
            return
        found = found.type
