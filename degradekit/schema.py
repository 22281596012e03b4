"""The JSON Schema of recipes, for editors: completion, descriptions and squiggles while a recipe is written.

It says what a recipe may look like; what it means (probabilities that sum to 1, sizes that end at GT / scale) is
checked by ``load_recipe``. A YAML file names it in its first line::

    # yaml-language-server: $schema=recipe.schema.json
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from degradekit.dist import Within
from degradekit.extends import EXTENSION_FIELDS
from degradekit.ops import OPS
from degradekit.ops.base import Op
from degradekit.ops.plugin import PLUGIN_NAME
from degradekit.source.clip import Clip
from degradekit.source.extract import Extract
from degradekit.source.landmarks import Faces
from degradekit.steps import Mask

__all__ = ["arguments", "recipe_schema"]

NAME = r"^[^/:\[\].#\"' ]+$"
EXPRESSION = r"^[-+*/().eE\d\s]*(pi[-+*/().eE\d\s]*)*$"


def recipe_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a recipe with every op of this build.

    Example:
        >>> schema = recipe_schema()
        >>> schema["else"]["required"], schema["properties"]["scale"]["maximum"]
        (['scale', 'degrade'], 16)
    """
    kinds = [f"op.{op.name}" for op in OPS] + ["plugin", "blend", "chain", "one_of", "shuffle"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "degradekit recipe",
        "description": "What may happen to an image on its way from HR to GT and from GT to LQ.",
        **_closed(
            {
                "name": {"type": "string", "description": "Name of the recipe; the file's name without it."},
                "scale": {"type": "integer", "minimum": 1, "maximum": 16, "description": "GT side / LQ side."},
                "options": {
                    "type": "object",
                    "description": "Switches that `when:` refers to, with their defaults.",
                    "additionalProperties": {"type": "boolean"},
                },
                "extract": {"$ref": "#/$defs/extract"},
                "target": {"$ref": "#/$defs/nodes", "description": "Steps from HR crop to GT, in the order written."},
                "degrade": {
                    "$ref": "#/$defs/nodes",
                    "minProperties": 1,
                    "description": "Steps from the stored GT to LQ, in the order written.",
                },
                **_extension(),
            },
            required=[],
        ),
        "if": {"required": ["extends"]},
        "then": {},
        "else": {"required": ["scale", "degrade"], "properties": {"extract": {"allOf": _rules()}}},
        "dependentRequired": {field: ["extends"] for field in EXTENSION_FIELDS[1:]},
        "$defs": {
            "extract": _extract(),
            "nodes": {
                "type": "object",
                "propertyNames": {"pattern": NAME},
                "additionalProperties": {"$ref": "#/$defs/node"},
            },
            "node": {"type": "object", "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds]},
            "plugin": _plugin(),
            "blend": _blend(),
            "chain": _combinator("chain", "Children that run one after another."),
            "one_of": _combinator("one_of", "Children of which one runs, chosen by their `p`."),
            "shuffle": _combinator("shuffle", "Children that all run, in a random order.", before=_pairs()),
            **{f"op.{op.name}": _op(op) for op in OPS},
            **_distributions(),
        },
    }


def arguments(model: type[BaseModel]) -> dict[str, str]:
    """What the ``Args:`` section of a docstring says about each argument.

    Example:
        >>> arguments(Extract)["max_pixels"]
        'Images with a larger height times width are refused before they are decoded.'
    """
    lines = inspect.cleandoc(model.__doc__ or "").splitlines()
    if "Args:" not in lines:
        return {}
    found: dict[str, str] = {}
    name = ""
    for line in lines[lines.index("Args:") + 1 :]:
        if line and not line.startswith("    "):
            break
        start = re.match(r"    (\w+): (.*)", line)
        if start is not None:
            name = start[1]
            found[name] = start[2]
        elif name:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def _extension() -> dict[str, Any]:
    """What a recipe may say that extends another one."""
    path = {"pattern": r"^(target|degrade)\.[^.]+"}
    new = {"type": "object", "propertyNames": path, "additionalProperties": {"$ref": "#/$defs/nodes"}}
    return {
        "extends": {
            "type": "string",
            "description": "The recipe that this one changes: a shipped one's name, or a path.",
        },
        "change": {
            "type": "object",
            "propertyNames": path,
            "description": "By path, what nodes and parameters are instead: `degrade.blur1.sigma_x_range: [0.2, 2]`; "
            "`*` stands for every child.",
        },
        "before": {**new, "description": "New nodes, by the path of the node that they come before."},
        "after": {**new, "description": "New nodes, by the path of the node that they come after."},
        "remove": {
            "type": "array",
            "items": {"type": "string", **path},
            "description": "Paths of nodes and parameters to leave out.",
        },
    }


def _op(op: type[Op]) -> dict[str, Any]:
    summary = inspect.cleandoc(op.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    parameters = _fields(op)
    required = [name for name, info in op.model_fields.items() if info.is_required()]
    return {
        "description": summary,
        **_closed({"op": {"const": op.name}, **parameters, **_modifiers()}, required=["op", *required]),
    }


def _plugin() -> dict[str, Any]:
    """An op of another package: its parameters are known to nobody here."""
    name = {"type": "string", "pattern": PLUGIN_NAME}
    description = "An op of another package, named by package.module:Class."
    properties = {"op": name, **_modifiers()}
    return {"description": description, "type": "object", "properties": properties, "required": ["op"]}


def _combinator(kind: str, description: str, **more: dict[str, Any]) -> dict[str, Any]:
    body = {"$ref": "#/$defs/nodes", "minProperties": 1}
    return {"description": description, **_closed({kind: body, **more, **_modifiers()}, required=[kind])}


def _blend() -> dict[str, Any]:
    mask = {"description": "Where the children act.", **_closed(_fields(Mask), required=[])}
    body = {
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "properties": {"mask": mask},
        "required": ["mask"],
        "minProperties": 2,
        "additionalProperties": {"$ref": "#/$defs/node"},
    }
    description = "Children that run one after another and act on the part of the picture that the mask says."
    return {"description": description, **_closed({"blend": body, **_modifiers()}, required=["blend"])}


def _pairs() -> dict[str, Any]:
    pair = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
    return {"type": "array", "items": pair, "description": "Pairs [first, second] that keep this order."}


def _modifiers() -> dict[str, Any]:
    return {
        "p": {"$ref": "#/$defs/probability"},
        "repeat": {**_number(Within(0, 64)), "description": "How many times it runs, each with draws of its own."},
        "when": {
            "type": "string",
            "pattern": r"^\s*(not\s+)?\S+\s*$",
            "description": "The node exists only when this option is set, or with `not` when it is not set.",
        },
    }


def _extract() -> dict[str, Any]:
    side = {"type": "integer", "minimum": 1}
    properties = _fields(Extract)
    clip = _closed(_fields(Clip), required=["length"])
    faces = _closed(_fields(Faces), required=["landmarks"])
    for name, model in (("clip", clip), ("faces", faces)):
        properties[name] = {"anyOf": [model, {"type": "null"}], "description": properties[name]["description"]}
    properties["size"] |= {"anyOf": [side, {"type": "array", "items": side, "minItems": 2, "maxItems": 2}]}
    return {"description": "How HR crops are taken from source images.", **_closed(properties, required=[])}


def _rules() -> list[dict[str, Any]]:
    """What goes together in ``extract``, where the whole of it is in the file."""
    windowed = {"properties": {"mode": {"enum": ["random", "sliding"]}}, "required": ["mode"]}
    sliding = {"properties": {"mode": {"const": "sliding"}}, "required": ["mode"]}
    return [
        {"if": windowed, "then": {"required": ["size"]}, "else": {"not": {"required": ["size"]}}},
        {"if": sliding, "then": {"required": ["step"]}, "else": {"not": {"required": ["step"]}}},
    ]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Properties of a model: pydantic's schema, with number ranges by reference and descriptions from the docstring."""
    said = arguments(model)
    made = model.model_json_schema()["properties"]
    out: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        schema = {key: value for key, value in made[name].items() if key != "title"}
        bound = next(_bounds(info), None)
        if bound is not None:
            kept = {"default": schema["default"]} if "default" in schema else {}
            nullable = {"anyOf": [*_number(bound)["anyOf"], {"type": "null"}]} if _optional(info) else _number(bound)
            schema = {**nullable, **kept}
        out[name] = {**schema, **({"description": said[name]} if name in said else {})}
    return out


def _bounds(info: FieldInfo) -> Iterator[Within]:
    """The Within of a number field, wherever it stands in the annotation."""
    pending: list[Any] = [*info.metadata, info.annotation]
    while pending:
        item = pending.pop(0)
        if isinstance(item, Within):
            yield item
        pending += [*get_args(item), *getattr(item, "__metadata__", ())]


def _optional(info: FieldInfo) -> bool:
    return type(None) in get_args(info.annotation)


def _number(bound: Within) -> dict[str, Any]:
    """A number within bounds, an expression, a range, or a distribution."""
    plain: dict[str, Any] = {"type": "integer" if bound.integer or bound.odd else "number"}
    if math.isfinite(bound.low):
        plain["minimum"] = bound.low
    if math.isfinite(bound.high):
        plain["maximum"] = bound.high
    expression = {"$ref": "#/$defs/expression"}
    pair = {"type": "array", "items": {"anyOf": [plain, expression]}, "minItems": 2, "maxItems": 2}
    return {"anyOf": [plain, expression, pair, {"$ref": "#/$defs/distribution"}]}


def _distributions() -> dict[str, Any]:
    number = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/expression"}]}
    numbers = {"type": "array", "items": number, "minItems": 1}
    ends = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    parts = {"type": "array", "items": _number(Within()), "minItems": 1}
    forms: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "const": (number, {}),
        "uniform": (ends, {}),
        "log_uniform": (ends, {}),
        "power_uniform": (ends, {"exponent": number}),
        "integer": (ends, {"step": {"type": "integer", "minimum": 1}}),
        "choice": (numbers, {"p": {"$ref": "#/$defs/probabilities"}}),
        "mixture": (parts, {"p": {"$ref": "#/$defs/probabilities"}}),
        "histogram": (numbers, {"weights": numbers}),
    }
    time = {
        "description": "How it moves over a clip: held, drawn for every frame, a bounded random walk, or key frames.",
        "anyOf": [
            {"enum": ["hold", "iid"]},
            _closed({"walk": number}, required=["walk"]),
            _closed({"keyframes": {"type": "integer", "minimum": 1}}, required=["keyframes"]),
        ],
    }
    return {
        "expression": {"type": "string", "pattern": EXPRESSION, "description": "Arithmetic such as 25/255 or pi/3."},
        "probability": {
            "description": "The probability that it happens; inside one_of, that it is chosen.",
            "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"$ref": "#/$defs/expression"}],
        },
        "probabilities": {"type": "array", "items": {"$ref": "#/$defs/probability"}},
        "distribution": {
            "oneOf": [
                _closed({form: body, **rest, "over_time": time}, required=[form])
                for form, (body, rest) in forms.items()
            ]
        },
    }


def _closed(properties: dict[str, Any], *, required: list[str]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}
