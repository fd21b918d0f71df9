// Package socketvar publishes the statistics of socketops engines as variables of package expvar, which shows them at
// /debug/vars. It is a package of its own because to import expvar is to have it register that handler.
package socketvar
