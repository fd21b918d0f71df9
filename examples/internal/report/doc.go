// Package report turns an outcome into what people and programs read: a table, a JSON file, charts, and a
// page that needs no network.
package report
