"""Tables of captures with the tags of a database, for tests of published protocols."""

import pandas as pd


def published_table(rows):
    """Rows are (person, capture, tags); `variant` and `mask` may be among the tags."""
    records = []
    for person, capture, tags in rows:
        origin = f"d/{person}/{capture}"
        variant = tags.get("variant", "plain")
        sample_id = origin + ("" if variant == "plain" else f"~{variant}~00000000")
        base = {"sample_id": sample_id, "identity": f"d/{person}", "origin_id": origin, "variant": variant}
        records.append({**base, "id": sample_id.replace("/", "__"), "name": f"d__{person}", "mask": "none", **tags})
    return pd.DataFrame(records, dtype=object)
