"""Bicep as data, by a published grammar of the language.

What is no literal is an `Expression`: its text, and the names that it refers to.
"""

from dataclasses import dataclass, field

import tree_sitter
import tree_sitter_bicep

LANGUAGE = tree_sitter.Language(tree_sitter_bicep.language())


class SyntaxProblem(Exception):
    """Where the text is no Bicep."""


@dataclass(frozen=True)
class Expression:
    text: str
    names: frozenset = frozenset()


@dataclass
class Resource:
    kind: str
    version: str
    body: dict
    condition: str | None = None


@dataclass
class File:
    parameters: dict = field(default_factory=dict)
    variables: dict = field(default_factory=dict)
    resources: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    decorators: dict = field(default_factory=dict)
    types: dict = field(default_factory=dict)


def parse(text):
    root = tree_sitter.Parser(LANGUAGE).parse(text.encode()).root_node
    if root.has_error:
        line = min(node.start_point.row + 1 for node in everything(root) if node.is_error or node.is_missing)
        raise SyntaxProblem(f"line {line} is not understood")
    file, pending = File(), []
    for node in root.children:
        match node.type:
            case "decorators":
                pending = [source(child) for child in node.children]
                continue
            case "parameter_declaration":
                name, kind, *default = node.named_children
                file.parameters[source(name)] = value(default[0]) if default else None
                file.types[source(name)] = source(kind)
                file.decorators[source(name)] = pending
            case "variable_declaration":
                name, assigned = node.named_children
                file.variables[source(name)] = value(assigned)
            case "resource_declaration":
                name, kind, body = node.named_children
                file.resources[source(name)] = resource(kind, body)
            case "output_declaration":
                name, kind, assigned = node.named_children
                file.outputs[source(name)] = value(assigned)
                file.types[source(name)] = source(kind)
            case "comment":
                continue
            case other:
                raise SyntaxProblem(f"line {node.start_point.row + 1}: no rule for {other}")
        pending = []
    return file


def source(node):
    return node.text.decode()


def everything(node):
    yield node
    for child in node.children:
        yield from everything(child)


def resource(kind, body):
    kind, _, version = value(kind).partition("@")
    condition = None
    if body.type == "if_statement":
        condition, body = body.named_children
        condition = value(condition)
    return Resource(kind, version, value(body), condition)


def value(node):
    match node.type:
        case "object":
            properties = [child for child in node.named_children if child.type == "object_property"]
            pairs = [child.named_children for child in properties]
            keys = [source(key) for key, _ in pairs]
            if len(set(keys)) < len(keys):
                raise SyntaxProblem(f"a key occurs twice in {keys}")
            return {source(key): value(assigned) for key, assigned in pairs}
        case "array":
            return [value(child) for child in node.named_children if child.type != "comment"]
        case "string" if not any(child.type == "interpolation" for child in node.children):
            return source(node)[1:-1]
        case "number":
            return int(source(node))
        case "boolean":
            return source(node) == "true"
        case _:
            return Expression(source(node), frozenset(references(node)))


def references(node):
    """Names of the file that an expression uses; functions and properties are none."""
    if node.type == "identifier" and not is_function(node):
        yield source(node)
    for child in node.children:
        yield from references(child)


def is_function(node):
    return node.parent.type == "call_expression" and node.parent.child_by_field_name("function") == node
