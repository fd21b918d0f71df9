// Package page writes what a run of the matrix found out about kernels into a page of the documentation.
package page
