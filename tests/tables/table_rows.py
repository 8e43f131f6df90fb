import pandas as pd

from face3d_data.table import FIXED_COLUMNS


def manifest(rows, **columns):
    """Rows are (person, capture) or (person, capture, variant); further columns are tags."""
    records = []
    for row in rows:
        person, capture, variant = (*row, "plain")[:3]
        origin = f"{person}/{capture}"
        suffix = "" if variant == "plain" else f"~{variant}~{abs(hash(variant)) % 10**8:08d}"
        records.append(
            {
                "key": f"k:{origin}:{variant}",
                "id": origin + suffix,
                "identity": person,
                "dataset": person.partition("/")[0],
                "variant": variant,
                "origin_id": origin,
                "split": "",
                "source": person.partition("/")[0],
                "path": f"{capture}.png",
                "n_points": 16,
                "place": None,
            }
        )
    frame = pd.DataFrame(records, columns=list(FIXED_COLUMNS), dtype=object).assign(root="")
    return frame.assign(**{name: pd.Series(values, dtype=object) for name, values in columns.items()})
