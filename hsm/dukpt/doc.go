// Package dukpt derives the unique keys of a terminal's transactions (DUKPT), and uses them.
//
// A base derivation key (BDK) gives each terminal an initial key; the initial key and the counter
// of a transaction give a transaction key; and that gives the working keys, one for each use. What
// a terminal sends beside its message is the key serial number (KSN): who it is, and its counter.
//
//	          TDES DUKPT                  AES DUKPT
//	standard  ANSI X9.24-1:2009           ANSI X9.24-3:2017
//	KSN       10 bytes, 21 bits count     12 bytes, 32 bits count
//	counter   1 to 10 bits set            1 to 16 bits set
//	BDK       TDES of two parts           AES-128, AES-256; AES-192 on request
//	keys      TDES of two parts           TDES, AES, HMAC, none stronger than the BDK
//
// All here are values or never change, so anything may be shared by goroutines, up to Wipe: that
// comes when nobody uses the key any more. Keys lie behind pointers that all copies share, so
// prints show nothing, and Wipe reaches every copy.
//
// A derivation of AES DUKPT is AES in ECB mode over 16 or 32 known bytes, and Steps gives these. So
// a module that keeps the keys inside can make each step itself, as CKM_AES_ECB_ENCRYPT_DATA does.
// TDES DUKPT has no such way: its step needs halves of keys, and XOR.
//
// A counter is used once. Window remembers for a terminal which were.
//
// TDES of the standard library isn't constant in time, and the key schedules that it and AES leave
// in memory can't be wiped: a BDK of production is for a module of its own.
package dukpt
