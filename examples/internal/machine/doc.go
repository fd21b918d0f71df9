// Package machine says what a measurement was taken on, without naming the machine.
package machine
