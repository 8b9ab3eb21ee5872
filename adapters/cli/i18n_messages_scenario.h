/* i18n_messages_scenario.h: texts of `qianmo scenario`; a part of i18n_messages.h. */
#ifndef QM_I18N_MESSAGES_SCENARIO_H
#define QM_I18N_MESSAGES_SCENARIO_H

#define QM_MESSAGES_SCENARIO(X)                                                                 \
  X(OPT_VIA, "memory, or tls: with a hub process over TLS (memory)",                            \
    "memory，或 tls：另起中心进程并经 TLS 同步（memory）")                                                  \
  X(BAD_VIA, "--via takes memory or tls", "--via 须是 memory 或 tls")                               \
  X(SCENARIO_WRITE, "%s: write", "%s：录入")                                                        \
  X(SCENARIO_WRONG, "step %u, %s: wanted %s, got %s\n  because: %s (%s)\n",                     \
    "第 %u 步，%s：应为 %s，实为 %s\n  依据：%s（%s）\n")                                                    \
  X(SCENARIO_BAD, "%s, step %u: %s", "%s，第 %u 步：%s")                                             \
  X(SCENARIO_PASSED,                                                                            \
    "%s: passed (%u devices, %u spaces, %u steps, %u syncs, %u expectations, %u wrong)\n",      \
    "%s：通过（%u 台设备，%u 个空间，%u 步，%u 次同步，%u 项预期，%u 项不符）\n")                                     \
  X(SCENARIO_FAILED,                                                                            \
    "%s: failed (%u devices, %u spaces, %u steps, %u syncs, %u expectations, %u wrong)\n",      \
    "%s：未通过（%u 台设备，%u 个空间，%u 步，%u 次同步，%u 项预期，%u 项不符）\n")

#endif
