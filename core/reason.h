/* reason: why a value was refused where it was written, in English and Chinese. An error's
 * message is "field NAME: TEXT", or "field NAME: TEXT (DETAIL)", with one of these texts, so
 * that qm_reason_find gives the reason again, and a program may say it in its own language.
 * The words are fixed for ever. */
#ifndef QM_REASON_H
#define QM_REASON_H

#include "core/err.h"
#include "core/slice.h"

/* X(id, word, English, Chinese) */
/* clang-format off */
#define QM_REASONS(X)                                                                             \
  X(TEXT, "text", "the value must be text", "须填文字")                                           \
  X(LENGTH, "length", "the text is too long", "文字过长")                                         \
  X(ITEM_TEXT, "item-text", "the value must be one of the field's items", "须为该字段的选项之一") \
  X(ITEM, "item", "the value is none of the field's items", "不是该字段的选项")                   \
  X(NOT_PROPOSED, "not-proposed", "nobody confirms this item", "该选项无须确认")                  \
  X(INT, "int", "the value must be a whole number", "须填整数")                                   \
  X(NUMBER, "number", "the value must be a number", "须填数字")                                   \
  X(BOOL, "bool", "the value must be true or false", "须填 true 或 false")                        \
  X(BYTES, "bytes", "the value must be bytes", "须为字节")                                        \
  X(POINT, "point", "the value must be a point", "须为坐标点")                                    \
  X(DATE, "date", "the value must be a date as YYYY-MM-DD", "须填日期，写作 YYYY-MM-DD，且确有这一天") \
  X(REF, "ref", "the value must be a record id", "须为记录编号")                                  \
  X(SPACE_REF, "space-ref", "the value must be a space and a record id", "须为空间和记录编号")    \
  X(MAP, "map", "the value must be a map", "须为键值表")                                          \
  X(KIND, "kind", "the field's values are of a kind not known here", "本程序不认识该字段的值类型") \
  X(NIL, "nil", "the value must not be nil", "不能为空")                                          \
  X(REQUIRED, "required", "the field is required", "该字段必填")                                  \
  X(SEALED, "sealed", "the field is not sealed", "该字段不加密")                                  \
  X(OP, "op", "this op does not fit the field's type", "这种改动不适用于该字段类型")              \
  X(TEXT_ONLY, "text-only", "a text field takes text", "文本字段只收文字")                        \
  X(LIST_ONLY, "list-only", "a list field takes values", "列表字段只收值")                        \
  X(CHECKED_TEXT, "checked-text", "what is checked must be text", "校验的内容须为文字")           \
  X(CHECKED_NUMBER, "checked-number", "what is checked must be a whole number", "校验的内容须为整数") \
  X(ID_LENGTH, "id-length", "a citizen number has 18 characters", "公民身份号码应为 18 位")       \
  X(ID_OLD, "id-old", "a citizen number of 15 digits is no longer taken", "不再接受 15 位旧身份号码") \
  X(ID_DIGITS, "id-digits", "a citizen number has digits only, and an X at most at its end",      \
    "公民身份号码只能是数字，末位可为 X")                                                         \
  X(ID_AREA, "id-area", "the first two digits of the citizen number are no region",               \
    "公民身份号码前两位不是地区代码")                                                             \
  X(ID_DATE, "id-date", "the date of birth in the citizen number does not exist",                 \
    "公民身份号码中的出生日期不存在")                                                             \
  X(ID_CHECK, "id-check", "the check character of the citizen number does not fit its digits",    \
    "公民身份号码的校验码与前 17 位不符")                                                         \
  X(CREDIT_LENGTH, "credit-length", "a social credit code has 18 characters", "统一社会信用代码应为 18 位") \
  X(CREDIT_CHARS, "credit-chars",                                                                 \
    "a social credit code has digits, and letters but I, O, S, V, Z; places 3 to 8 are digits",   \
    "统一社会信用代码只含数字和除 I、O、S、V、Z 以外的字母，第 3 至 8 位须为数字")                \
  X(CREDIT_CHECK, "credit-check", "the check character of the social credit code does not fit",   \
    "统一社会信用代码的校验码不符")                                                               \
  X(CODE, "code", "the code is not in the list", "代码不在代码表中")                              \
  X(CODE_MOVED, "code-moved", "the code is no longer in use; use the new one", "代码已停用，请用新代码") \
  X(AREA_LENGTH, "area-length", "an area code has another number of digits", "区划代码的位数不对") \
  X(AREA_DIGITS, "area-digits", "an area code has digits only and begins with 1 to 9",            \
    "区划代码只能是数字，且不以 0 开头")                                                          \
  X(AREA_UNKNOWN, "area-unknown", "the area code is not in the list of areas", "区划代码不在区划表中") \
  X(PHONE, "phone", "this is no telephone number", "不是有效的电话号码")                          \
  X(PHONE_MOBILE, "phone-mobile", "this is no mobile number of 11 digits", "不是 11 位手机号码")  \
  X(DATE_PARTIAL, "date-partial", "the value must be YYYY, YYYY-MM or YYYY-MM-DD",                \
    "须写作 YYYY、YYYY-MM 或 YYYY-MM-DD，且确有这一天")                                           \
  X(DATE_EARLY, "date-early", "the date is too early", "日期过早")                                \
  X(DATE_LATE, "date-late", "the date is too late", "日期过晚")                                   \
  X(LEAST, "least", "the number is too small", "数值过小")                                        \
  X(MOST, "most", "the number is too large", "数值过大")                                          \
  X(ZERO, "zero", "an amount of zero says nothing", "金额不能为零")                               \
  X(POINT_DATUM, "point-datum", "the point must say its datum: wgs84 or gcj02",                   \
    "坐标须注明坐标系：wgs84 或 gcj02")                                                           \
  X(POINT_ACCURACY, "point-accuracy", "the point is not accurate enough", "坐标精度不够")         \
  X(POINT_PLACE, "point-place", "the point is not in China; are latitude and longitude swapped?", \
    "坐标不在中国境内；纬度和经度是否写反？")                                                     \
  X(ENTRY_AMOUNT, "entry-amount", "an entry needs \"amount\": a whole number of minor units",     \
    "流水须有 amount：以分为单位的整数")                                                          \
  X(ENTRY_REASON, "entry-reason", "an entry needs \"reason\"", "流水须有 reason（事由）")         \
  X(ENTRY_RECEIPT, "entry-receipt", "an entry needs \"receipt\"", "流水须有 receipt（凭证）")     \
  X(ENTRY_REVERSES, "entry-reverses", "\"reverses\" must name an entry of this log, no reversal", \
    "reverses 须写明本账中被冲正的流水，且不能是冲正流水")                                        \
  X(ENTRY_OPPOSITE, "entry-opposite", "a reversal must have the opposite amount",                 \
    "冲正金额须与原流水相反")                                                                     \
  X(ENTRY_TWICE, "entry-twice", "the entry was reversed already", "该流水已被冲正")               \
  X(BASIS, "basis", "the field needs a basis: consent or statutory duty",                         \
    "该字段须有依据：同意或法定职责")                                                             \
  X(BASIS_INCOMPLETE, "basis-incomplete", "the basis lacks what its kind needs", "依据缺少必填内容") \
  X(BASIS_PURPOSE, "basis-purpose", "the basis is for another purpose", "依据的用途不符")         \
  X(BASIS_ENDED, "basis-ended", "the basis has ended: it was withdrawn", "依据已终止（已撤回）")  \
  X(BASIS_GUARDIAN, "basis-guardian", "of a child under 14 the guardian's consent is needed",     \
    "不满十四周岁的儿童须有监护人同意，并注明同意日期")                                           \
  X(WHEN_EMPTY, "when-empty", "the field must be empty here", "此时该字段须为空")                 \
  X(WHEN_FILLED, "when-filled", "the field must be filled here", "此时该字段必填")                \
  X(COVER, "cover", "this is more than there is left", "超出尚可使用的额度")                      \
  X(TABLE, "table", "the schema lacks the list of codes that this check names",                   \
    "数据结构缺少该校验所用的代码表")
/* clang-format on */

#define QM_REASON_ENUM(id, word, en, zh) QM_REASON_##id,
typedef enum qm_reason {
  QM_REASON_NONE = 0, /* nothing speaks against it */
  QM_REASONS(QM_REASON_ENUM) QM_REASON_COUNT
} qm_reason;
#undef QM_REASON_ENUM

/* Static texts; "" for NONE. */
const char *qm_reason_word(qm_reason r);
const char *qm_reason_en(qm_reason r);
const char *qm_reason_zh(qm_reason r);
/* Fills *e with "field NAME: TEXT", with " (DETAIL)" where detail is not empty, and returns
 * QM_ESCHEMA. e may be NULL. */
int qm_reason_fail(qm_error *e, qm_slice field, qm_reason r, qm_slice detail);
/* The reason that a message gives, with the field's name and the detail (slices of the message;
 * empty: none); QM_REASON_NONE where it is another message. */
qm_reason qm_reason_find(const char *message, qm_slice *field, qm_slice *detail);

#endif
