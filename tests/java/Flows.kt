/* The Kotlin layer with two phones and a hub: writes, syncs, flows, cancelling. Names invented. */
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.yield
import org.qianmo.Database
import org.qianmo.Options
import org.qianmo.Qianmo
import org.qianmo.QianmoException
import org.qianmo.changeFlow
import org.qianmo.eventFlow
import org.qianmo.reading
import org.qianmo.staying
import org.qianmo.syncProgress
import org.qianmo.syncing
import org.qianmo.writing

private fun phone(directory: Path, who: String, hub: Hub): Database {
  val db = Database.open("$directory/$who.db", Options().flags(Qianmo.CREATE).busyMs(100))
  db.enroll(hub.address(), hub.code(who), "phone of $who")
  return db
}

private suspend fun writes(east: Database) {
  val id = east.writing("grid") { it.create("household", "101").id }
  runBlocking {
    List(8) { launch { repeat(5) { east.writing("grid") { it.inc("household", id, "visits", 1) } } } }
      .joinAll()
  }
  Tap.check("\"visits\":40" in east.reading { it.get("grid", "household", id) }, "writes take turns")
  val thrown = runCatching {
    east.writing("grid") { it.set("household", id, "head", "x"); error("as an app's code may") }
  }.exceptionOrNull()
  Tap.check(thrown is IllegalStateException && "head" !in east.get("grid", "household", id),
    "an exception cancels")
  val refused = runCatching { east.writing("grid") { it.set("household", id, "none", "x") } }
  Tap.check(refused.exceptionOrNull() is QianmoException.Refused, "a refusal comes through")
}

private suspend fun syncs(east: Database, west: Database) {
  val progress = east.syncProgress().toList()
  Tap.check(progress.isNotEmpty() && progress.last().bytesUp > 0, "progress as a flow")
  Tap.check(west.syncing(60_000).bytesDown > 0, "a sync")
}

private suspend fun flows(east: Database, west: Database): Unit = runBlocking {
  val lines = CompletableDeferred<List<String>>()
  val first = CompletableDeferred<Unit>()
  val collecting = launch {
    lines.complete(east.changeFlow().take(3).also { first.complete(Unit) }.toList())
  }
  first.await()
  east.writing("grid") { it.create("household", "102") }
  // The first line says "all" whenever it is read: what is written is one more only after it.
  while (!lines.isCompleted) {
    east.writing("grid") { it.inc("household", "key:102", "visits", 1) }
    yield()
  }
  collecting.join()
  Tap.check("\"all\":true" in lines.await()[0] && "household" in lines.await()[1],
    "what changes as a flow")
  val event = CompletableDeferred<String>()
  val listening = launch { event.complete(east.eventFlow().first { "changed" in it }) }
  while (!event.isCompleted) {
    east.writing("grid") { it.inc("household", "key:102", "visits", 1) }
    delay(1)
  }
  listening.join()
  Tap.check(runCatching { east.listen { }; east.unlisten() }.isSuccess, "events too, and it ends")
  val waiting = launch { west.changeFlow(cursor(west)).collect { } }
  yield()
  withTimeout(30_000) { waiting.cancelAndJoin() }
  Tap.check(true, "a flow that waits is cancelled")
}

private fun cursor(db: Database) =
  Json.lines(db.changes("", 0)).last().getValue("cursor") as String

private suspend fun cancelled(east: Database, west: Database): Unit = runBlocking {
  val live = CompletableDeferred<Unit>()
  val told = AtomicInteger()
  val staying = launch { east.staying { if (told.getAndIncrement() == 0) live.complete(Unit) } }
  withTimeout(30_000) { live.await() }
  Tap.check(runCatching { east.sync() }.exceptionOrNull() is QianmoException.Retry, "it stays")
  withTimeout(30_000) { staying.cancelAndJoin() }
  Tap.check(runCatching { east.sync() }.isSuccess, "until its coroutine is cancelled")
  // Cancelled at any moment, also before it begins, it has ended when the coroutine has.
  var fine = true
  for (i in 0 until 20) {
    west.writing("grid") { it.inc("household", "key:101", "visits", 1) }
    withTimeoutOrNull(i.toLong()) { west.syncing() }
    fine = fine && runCatching { west.sync() }.isSuccess
  }
  Tap.check(fine, "so is a sync, at any moment")
}

fun main() {
  Tap.run { directory ->
    Hub(directory).use { hub ->
      phone(directory, "East", hub).use { east ->
        phone(directory, "West", hub).use { west ->
          runBlocking {
            east.syncing()
            writes(east)
            syncs(east, west)
            flows(east, west)
            cancelled(east, west)
          }
        }
      }
    }
  }
}
