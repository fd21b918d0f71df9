// Package affinity starts processes on a chosen CPU.
package affinity
