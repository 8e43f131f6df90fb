"""Drawn changes of a YAML document: values of other types, nested, left out, repeated, huge, of other scripts."""

import copy
import random

VALUES = (
    *(None, True, False, 0, -1, 3, 10**18, -0.5, 1e308),
    *("", " ", "x", "none", "0", "1e999", "e\u0301\u00e9", "a" * 3000, "../x", "/dev/null"),
    *("~", "~nobody", "${HOME}", "${"),
    *("\x1b[31m", "a\nb", "a,b", "@x == 1", "mask == 'x'", "2026-02-30"),
    *([], [[]], [None], [1, "x"], [["surgical"]], {}, {"a": 1}, {"": None}, {"name": []}, [{"id": "x"}]),
    *({"mask": {"a": [1]}}, {"x": float(2**53)}),
)


def places(value, path=()):
    """Return the paths of everything in a document, the document itself left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inner for found in ((*path, key), *places(item, (*path, key)))]


def at(value, path):
    for key in path:
        value = value[key]
    return value


def deep(value, levels):
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def mutated(document, seed):
    """Return a copy of a document with one to three changes that the seed decides."""
    rng = random.Random(seed)
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        paths = places(document)
        if not paths:
            break
        *above, key = rng.choice(paths)
        change(rng, document, at(document, above), key)
    return document


def change(rng, document, place, key):
    what = rng.randrange(9)
    if what < 3:
        place[key] = copy.deepcopy(rng.choice(VALUES))
    elif what == 3:
        del place[key]
    elif what == 4:
        place[key] = deep(place[key], rng.choice((1, 2, 30)))
    elif what == 5:
        place[key] = copy.deepcopy(at(document, rng.choice(places(document))))
    elif what == 6 and isinstance(place, list):
        place.append(copy.deepcopy(place[key]))
    elif what == 6:
        place[rng.choice(("x", "name", "from", "with", "root", "a.b", "é"))] = place.pop(key)
    elif what == 7:
        place[key] = str(place[key]) if not isinstance(place[key], str) else [place[key], place[key]]
    elif isinstance(place[key], list) and place[key]:
        place[key] = place[key][0]
    else:
        place[key] = {str(place[key])[:40]: place[key]}
