// Package stats turns what rounds measured into figures. A figure is a median with the least and the
// greatest value beside it: rounds are few and their noise is one-sided, so a mean and a deviation would
// say less.
package stats
