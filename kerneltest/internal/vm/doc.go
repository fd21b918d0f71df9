// Package vm boots guests in QEMU and listens to what they say.
package vm
