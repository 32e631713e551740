/* SPDX-License-Identifier: Apache-2.0 */
#include "src/foreign/lbs_sha256.h"

#include "src/base/lbs_hex.h"
#include "t/unit/tap.h"

static const char *hex_of(const char *text, size_t len)
{
    static char hex[2 * LBS_SHA256_LEN + 1];
    unsigned char digest[LBS_SHA256_LEN];
    int i;

    lbs_sha256(digest, text, len);
    for (i = 0; i < LBS_SHA256_LEN; i++) {
        lbs_hex_put(hex + 2 * i, 2, digest[i]);
    }
    return hex;
}

/* NIST's examples, and lengths around the ends of blocks by sha256sum. */
int main(void)
{
    static const struct {
        size_t len; /* so many times the letter a */
        const char *hex;
    } table[] = {
        {0, "e3b0c44298fc1c149afbf4c8996fb924"
            "27ae41e4649b934ca495991b7852b855"},
        {1, "ca978112ca1bbdcafac231b39a23dc4d"
            "a786eff8147c4e72b9807785afee48bb"},
        {55, "9f4390f8d30c2dd92ec9f095b65e2b9a"
             "e9b0a925a5258e241c9f1e910f734318"},
        {56, "b35439a4ac6f0948b6d6f9e3c6af0f5f"
             "590ce20f1bde7090ef7970686ec6738a"},
        {63, "7d3e74a05d7db15bce4ad9ec0658ea98"
             "e3f06eeecf16b4c6fff2da457ddc2f34"},
        {64, "ffe054fe7ae0cb6dc65c3af9b61d5209"
             "f439851db43d0ba5997337df154668eb"},
        {65, "635361c48bb9eab14198e76ea8ab7f1a"
             "41685d6ad62aa9146d301d4f17eb0ae0"},
        {119, "31eba51c313a5c08226adf18d4a359cf"
              "dfd8d2e816b13f4af952f7ea6584dcfb"},
        {120, "2f3d335432c70b580af0e8e1b3674a7c"
              "020d683aa5f73aaaedfdc55af904c21c"},
        {128, "6836cf13bac400e9105071cd6af47084"
              "dfacad4e5e302c94bfed24e013afb73e"},
        {1000000, "cdc76e5c9914fb9281a1c7e284d73e67"
                  "f1809a48a497200e046d39ccc7112cd0"},
    };
    static char text[1000000];
    size_t i;

    is_str(hex_of("abc", 3),
           "ba7816bf8f01cfea414140de5dae2223"
           "b00361a396177a9cb410ff61f20015ad",
           "abc");
    is_str(
        hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
        "248d6a61d20638b8e5c026930c3e6039"
        "a33ce45964ff2167f6ecedd419db06c1",
        "56 bytes");
    memset(text, 'a', sizeof(text));
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        is_str(hex_of(text, table[i].len), table[i].hex, "%d times a",
               (int)table[i].len);
    }
    return done_testing();
}
