"""Stands in for a module of the original bocpy, so that programs which import it are told where its names are."""

raise ImportError(
    "bocpy.behaviors was an internal module of the original bocpy and does not exist in this one (bocpy-dual): import "
    "Cown, when, whencall, start and wait from bocpy. docs/migrating-from-0.9.md has the list of differences"
)
