// The few functions of libcrypto that are used, declared here instead of including <openssl/evp.h>: that includes much of
// the C library, and a second view of those headers would give Swift two definitions of the same types. These are stable
// since OpenSSL 1.1.0 (EVP_DigestInit(3), OPENSSL_init_crypto(3)).
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_md_st EVP_MD;
typedef struct engine_st ENGINE;
typedef struct ossl_init_settings_st OPENSSL_INIT_SETTINGS;

#define EVP_MAX_MD_SIZE 64
#define OPENSSL_INIT_NO_LOAD_CONFIG 0x00000080L
#define OPENSSL_INIT_NO_ATEXIT 0x00080000L

int OPENSSL_init_crypto(uint64_t options, const OPENSSL_INIT_SETTINGS *settings);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *context);
const EVP_MD *EVP_sha256(void);
const EVP_MD *EVP_sha512(void);
int EVP_DigestInit_ex(EVP_MD_CTX *context, const EVP_MD *type, ENGINE *engine);
int EVP_DigestUpdate(EVP_MD_CTX *context, const void *data, size_t count);
int EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *digest, unsigned int *length);

// SHA-256 without the EVP interface and its set-up (SHA256_Init(3)); the structure is <openssl/sha.h>'s SHA256_CTX.
typedef struct {
  unsigned int h[8];
  unsigned int nl, nh;
  unsigned int data[16];
  unsigned int num, md_len;
} SHA256_CTX;

int SHA256_Init(SHA256_CTX *context);
int SHA256_Update(SHA256_CTX *context, const void *data, size_t count);
int SHA256_Final(unsigned char *digest, SHA256_CTX *context);
