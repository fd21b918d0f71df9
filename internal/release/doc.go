// Package release rehearses a release of the library, as a test: scripts/release makes one in a copy of the source
// tree, and modules outside of it get the library from there and are built as docs/building.md says.
package release
