"""The data dictionary is complete, in order and printable."""

from pathlib import Path

from twin import schema


def test_every_key_and_column_says_unit_meaning_and_source():
    columns = [c for table in schema.FILES.values() for c in table.values()]
    for entry in [*schema.SUMMARY.values(), *columns]:
        assert entry.unit and entry.formula and entry.reference, entry.name


def test_every_key_stands_under_a_heading_and_is_filed_under_its_own_name():
    assert {key.group for key in schema.SUMMARY.values()} == set(schema.GROUPS)
    for table in (schema.SUMMARY, *schema.FILES.values()):
        assert all(name == entry.name for name, entry in table.items())


def test_names_carry_their_unit():
    suffix = {"kWh": "_kwh", "GWh": "_gwh", "MW": "_mw", "kW": "_kw", "s": "_s", "m3": "_m3"}
    suffix |= {"t": "_t", "fraction": "_fraction"}
    for key in schema.SUMMARY.values():
        end = suffix.get(key.unit, "")
        short = key.name.removesuffix("_market_t")
        assert short.endswith(end) or key.name.endswith(end) or key.name == "mfu_mean"


def test_the_heartbeat_row_leaves_out_what_the_recorder_knows_itself():
    assert set(schema.SERIES) - set(schema.ROW) == {"at_s", "pue"}
    assert [name for name in schema.SERIES if name in schema.ROW] == list(schema.ROW)


def test_the_glossary_holds_every_name_and_the_pue_boundary():
    page = schema.glossary()
    for table in (schema.SUMMARY, *schema.FILES.values(), schema.STATUSES):
        for name in table:
            assert f"`{name}`" in page
    assert schema.PUE_BOUNDARY in page


def test_the_glossary_page_is_what_the_schema_says():
    """Redraw it: python -c "from twin.schema import glossary; print(glossary(), end=str())"."""
    page = Path(__file__).resolve().parent.parent / "docs" / "glossary.md"
    assert page.read_text(encoding="utf-8") == schema.glossary()


def test_the_scorecard_holds_every_key_once_by_heading_beside_its_kin():
    order = list(schema.SCORECARD)
    assert sorted(order) == sorted(schema.SUMMARY)
    headings = [key.group for key in schema.SCORECARD.values()]
    assert list(dict.fromkeys(headings)) == list(schema.GROUPS)
    assert headings == sorted(headings, key=schema.GROUPS.index)
    for name, key in schema.SUMMARY.items():
        if key.after:
            assert order.index(name) == order.index(key.after) + 1
            assert key.group == schema.SUMMARY[key.after].group
