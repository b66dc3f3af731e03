// The few functions of libcrypto that are used, declared here instead of including <openssl/sha.h>: that includes much of
// the C library, and a second view of those headers would give Swift two definitions of the same types. These are the
// library's oldest (SHA256_Init(3)); its EVP interface would bring in the rest of it, with its configuration file.
#pragma once
#include <stddef.h>

// <openssl/sha.h>'s.
typedef struct {
  unsigned int h[8];
  unsigned int nl, nh;
  unsigned int data[16];
  unsigned int num, md_len;
} SHA256_CTX;

int SHA256_Init(SHA256_CTX *context);
int SHA256_Update(SHA256_CTX *context, const void *data, size_t count);
int SHA256_Final(unsigned char *digest, SHA256_CTX *context);

typedef struct {
  unsigned long long h[8];
  unsigned long long Nl, Nh;
  union {
    unsigned long long d[16];
    unsigned char p[128];
  } u;
  unsigned int num, md_len;
} SHA512_CTX;

int SHA512_Init(SHA512_CTX *context);
int SHA512_Update(SHA512_CTX *context, const void *data, size_t count);
int SHA512_Final(unsigned char *digest, SHA512_CTX *context);
