/* cli_replay_verb: the one thing the verbs know of replay, a measuring tool that sees
 * more of the project than they do. */
#ifndef QM_CLI_REPLAY_VERB_H
#define QM_CLI_REPLAY_VERB_H

/* argv[0] is the verb. Returns the exit code. */
int qm_replay_main(int argc, char **argv);

#endif
