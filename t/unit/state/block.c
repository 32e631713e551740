/* SPDX-License-Identifier: Apache-2.0 */
#include "t/unit/state/fixture.h"

static void refuses_what_is_not_its_block(void)
{
    apr_size_t bytes = block_size();
    unsigned char *block = new_block();
    lbs_registry_t *reg = NULL;
    apr_size_t i;
    int opened = 0;

    is_int(lbs_registry_bytes(1, &bytes), APR_EINVAL, "no rows");
    is_int(lbs_registry_bytes(65535, &bytes), APR_EINVAL, "too many rows");
    is_int(bytes, block_size(), "the size stays as it was");
    is_int(lbs_registry_open(&reg, block, bytes, ROWS, memory), APR_EINVAL,
           "zeros are no registry");
    is_int(lbs_registry_format(block + 64, bytes - 64, ROWS, &seed),
           APR_EINVAL, "a block that begins inside a page");
    is_int(lbs_registry_format(block, bytes - 1, ROWS, &seed), APR_EINVAL,
           "a block that is too short");
    is_int(lbs_registry_format(block, bytes, ROWS, &seed), APR_SUCCESS,
           "formatted");
    is_int(lbs_registry_open(&reg, block, bytes, ROWS + 1, memory), APR_EINVAL,
           "for another number of rows");
    ok(reg == NULL, "and no view is made");
    for (i = 0; i < 104; i++) {
        block[i] ^= 0x10;
        opened +=
            lbs_registry_open(&reg, block, bytes, ROWS, memory) == APR_SUCCESS;
        block[i] ^= 0x10;
    }
    is_int(opened, 0, "a damaged head is not opened");
    is_int(lbs_registry_open(&reg, block, bytes, ROWS, memory), APR_SUCCESS,
           "an undamaged one is");
    is_int(lbs_registry_generation(reg), 0, "nothing is configured yet");
    is_int(lbs_registry_started(reg).wall, seed.started.wall, "started then");
    is_mem(lbs_registry_table_key(reg)->bytes, seed.table_key.bytes, 16,
           "the table's key");
    is_mem(lbs_registry_secret(reg), seed.secret, LBS_REGISTRY_SECRET_LEN,
           "the random secret");
    munmap(block, bytes);
}

static void a_new_secret_is_part_of_the_head(void)
{
    lbs_registry_t *reg = new_registry();
    lbs_registry_t *other = NULL;
    static const lbs_hash_key_t key = {"other key"};
    static const unsigned char secret[LBS_REGISTRY_SECRET_LEN] = "other";

    lbs_registry_set_keys(reg, &key, secret);
    is_int(lbs_registry_open(
               &other,
               (void *)((apr_uintptr_t)lbs_registry_secret(reg) & ~4095ul),
               block_size(), ROWS, memory),
           APR_SUCCESS, "the block opens with the keys of an earlier run");
    is_mem(lbs_registry_secret(other), secret, sizeof(secret), "the secret");
    is_mem(lbs_registry_table_key(other)->bytes, key.bytes, 16, "the key");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    refuses_what_is_not_its_block();
    a_new_secret_is_part_of_the_head();
    apr_terminate();
    return done_testing();
}
