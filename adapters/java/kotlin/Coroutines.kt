/* Coroutines over org.qianmo: calls off the caller's thread, what happens as flows. Nothing of it
 * knows more than the Java classes say. Needs kotlinx-coroutines 1.6 or newer. */
package org.qianmo

import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull

/** One write at a time: of two, the second waits here and not in a thread. */
@OptIn(ExperimentalCoroutinesApi::class)
private val writes = Dispatchers.IO.limitedParallelism(1)

/** Any calls, off this thread. */
public suspend fun <T> Database.reading(block: (Database) -> T): T =
  withContext(Dispatchers.IO) { block(this@reading) }

/** A transaction: committed at the end of the block, cancelled by what it throws. */
public suspend fun <T> Database.writing(space: String, block: (Transaction) -> T): T =
  withContext(writes) { begin(space).use { tx -> block(tx).also { tx.commit() } } }

/** A sync, in slices where budgetMs is above 0; a coroutine that is cancelled ends it politely. */
public suspend fun Database.syncing(
  budgetMs: Int = 0,
  progress: Database.ProgressListener? = null,
): SyncResult = blocking({ sync(budgetMs, progress) }, { syncCancel() })

/** A sync that tells how far it is; the flow ends with it. */
public fun Database.syncProgress(budgetMs: Int = 0): Flow<SyncProgress> =
  channelFlow<SyncProgress> { syncing(budgetMs) { trySend(it) } }.conflate()

/** Stays connected until the coroutine is cancelled, or a person must act. */
public suspend fun Database.staying(told: Database.StayListener? = null): Unit =
  blocking({ syncStay(told) }, { interrupt() })

/** Events, each a JSON object, while it is collected; of one collector. */
public fun Database.eventFlow(): Flow<String> = callbackFlow {
  listen { trySend(it) }
  awaitClose { unlisten() }
}.buffer(Channel.UNLIMITED).flowOn(Dispatchers.IO)

/**
 * What changed after the cursor, a JSON object a record: first what there is, then as it comes. A
 * line's cursor is where to go on another time.
 */
public fun Database.changeFlow(since: String = ""): Flow<String> = flow {
  var cursor = since
  while (true) {
    for (line in changes(cursor, 0).lineSequence().filter { it.isNotEmpty() }) {
      cursor = line.substringAfter("\"cursor\":\"").substringBefore('"')
      emit(line)
    }
    waitForChange(cursor)
    currentCoroutineContext().ensureActive()
  }
}.flowOn(Dispatchers.IO)

/* Not for ever: an interrupt would be one of a sync that stays, too. */
private fun Database.waitForChange(cursor: String) {
  try {
    changesWait(cursor, LOOK_AGAIN_MS)
  } catch (e: QianmoException.Retry) {
    if (e.name != "ETIMEOUT" && e.name != "ECLOSED") throw e
  }
}

/* Runs a call that blocks, and ends it where the coroutine is cancelled: again and again, as it
 * may only be about to begin. It has returned when this does; of one that was cancelled nobody
 * wants to know how. */
private suspend fun <T> blocking(call: () -> T, end: () -> Unit): T = coroutineScope {
  val running = async(Dispatchers.IO) { runCatching(call) }
  try {
    running.await().getOrThrow()
  } finally {
    withContext(NonCancellable) { endOf(running, end) }
  }
}

private suspend fun endOf(running: Deferred<*>, end: () -> Unit) {
  while (!running.isCompleted) {
    end()
    withTimeoutOrNull(END_AGAIN_MS) { running.join() }
  }
}

private const val END_AGAIN_MS = 20L
private const val LOOK_AGAIN_MS = 250
