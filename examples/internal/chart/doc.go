// Package chart draws panels of figures as one SVG picture that is readable in light and dark surroundings.
package chart
