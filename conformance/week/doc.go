// Package week plays seven business days of a whole center in virtual time, and compares its books.
//
// Two merchants trade around the clock, more of them when a day ends; two issuers keep business days
// of their own, one naming them, the other following the switch; one of them is away for a night.
package week
