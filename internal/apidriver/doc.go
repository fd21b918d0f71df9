// Package apidriver calls every exported function and method of the library with arguments that make no sense: nil,
// zero, negative and huge values, addresses of the wrong family, receivers that are nil, zero or closed, contexts and
// callbacks that are nil. Nothing may crash the program or keep a call from returning, nothing that cannot have worked
// may say that it did, and what panics is documented to.
//
// What there is to call is read from the packages by go/types, so that a new export is driven without being listed.
package apidriver
