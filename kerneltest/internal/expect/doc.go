// Package expect keeps the skips that are expected of each kernel and mode in files, so that a test that is skipped
// where it used to run is seen, and so is one that runs where it used to be skipped.
//
// A file has a section for each feature that is missing, and in it a line for each test: the package and the test's
// name. A name that ends in "*" stands for all tests that begin like that.
//
//	[send bundle]
//	uring TestSendBundle*
package expect
