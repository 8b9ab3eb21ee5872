/**
 * qianmo for Android and the JVM: {@code core/qianmo.h} through JNI.
 *
 * <pre>{@code
 * try (Database db = Database.open(path, Qianmo.CREATE)) {
 *   String id = db.transaction("grid 3", tx -> {   // committed at the end, cancelled by an exception
 *     String household = tx.create("household", "12").id;
 *     tx.set("household", household, "head", "Wang (invented)");
 *     return household;
 *   });
 *   String json = db.get("grid 3", "household", id);
 *   db.sync();
 * }
 * }</pre>
 *
 * Methods are named as the functions of qianmo.h, in their order of arguments; what they do stands
 * there. Texts are Strings, results the JSON text (on Android {@code org.json} reads it), or for
 * many rows a {@link org.qianmo.Rows}. An error throws a {@link org.qianmo.QianmoException}, of a
 * class that says what can be done. Arguments are never null. Every method may be called from any
 * thread and may block; none belongs on Android's main thread. Since 0.1.
 */
package org.qianmo;
