// Package sendertest holds the tests that the Senders of every engine have to pass: one contract, one test.
//
// It is imported by tests only.
package sendertest
