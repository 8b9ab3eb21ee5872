/* errors_zh: the Chinese texts of core/err.h's codes, under the same names. */
#ifndef QM_HANDLE_ERRORS_ZH_H
#define QM_HANDLE_ERRORS_ZH_H

#define QM_ERRORS_ZH(X)                                                \
  X(EINVAL, "参数无效")                                                \
  X(ENOMEM, "内存不足")                                                \
  X(EINTERNAL, "内部错误，当前打开的数据库不能再用")                   \
  X(ELIMIT, "超过上限")                                                \
  X(ESTATE, "当前状态下不能这样做")                                    \
  X(EUSAGE, "用法不对，请看 --help")                                   \
  X(ETRUNCATED, "数据不完整，被截断")                                  \
  X(EFORMAT, "数据格式不对")                                           \
  X(ETYPE, "类型不对")                                                 \
  X(EDEPTH, "嵌套过深")                                                \
  X(EUTF8, "文字不是有效的 UTF-8")                                     \
  X(ETRAILING, "结尾之后还有多余的字节")                               \
  X(EDUPKEY, "键重复")                                                 \
  X(ECANON, "不是规范形式")                                            \
  X(ERANGE, "数字超出范围")                                            \
  X(EOVERSIZE, "声明的大小超过上限")                                   \
  X(EGAP, "缺少在此之前的改动")                                        \
  X(EFORK, "同一作者写出了两个不同的后续")                             \
  X(EFORGED, "冒用其他作者的名义写入")                                 \
  X(EPARKED, "正在等待它所依赖的改动")                                 \
  X(EHASH, "散列或签名不符")                                           \
  X(ESCHEMA, "数据结构不允许这个值")                                   \
  X(EACCESS, "没有在这个空间这样做的权限")                             \
  X(ESTALE, "文字在读取之后已有改动，请重新读取")                      \
  X(EINVISIBLE, "记录已删除，可用 restore 恢复")                       \
  X(EREFUSED, "被中心拒收")                                          \
  X(EMALFORMED, "改动的格式不对")                                      \
  X(ENOTFOUND, "没有找到")                                             \
  X(EEXIST, "已经存在")                                                \
  X(EAMBIGUOUS, "不止一个相符，请多给几位编号")                        \
  X(EIO, "读写出错")                                                   \
  X(EFULL, "存储空间已满，请清出一些空间，数据没有丢失")               \
  X(EREADONLY, "存储只读，不能写入")                                   \
  X(ECORRUPT, "数据库已损坏，请保留原文件并用备份恢复")                \
  X(ENEWER, "文件由更新的版本写成，请更新 qianmo")                     \
  X(EBUSY, "数据库正被另一个进程使用")                                 \
  X(ESUSPENDED, "已暂停，恢复之后再试")                                \
  X(ENET, "网络不通")                                                  \
  X(ETIMEOUT, "超时")                                                  \
  X(ECLOSED, "对方关闭了连接")                                         \
  X(ETLS, "TLS 连接失败")                                              \
  X(ECERT, "证书不被接受")                                             \
  X(ECERTEXPIRED, "证书已过期，请重新登记")                            \
  X(EREVOKED, "本设备已被吊销")                                        \
  X(EPROTO, "通信协议错误")                                            \
  X(EVERSION, "双方没有共同的协议版本，请更新 qianmo")                 \
  X(ECLOCK, "时钟不对，请检查本设备的日期")                            \
  X(ECANCELED, "已取消")                                               \
  X(ECODE, "登记码输入有误")                                           \
  X(ECODEUSED, "登记码不存在或已用过，请索取新码")                     \
  X(ECODEEXPIRED, "登记码已过期，请索取新码")                          \
  X(ETRIES, "尝试次数过多，请稍候并索取新码")                          \
  X(EENROLLED, "本设备已经登记")                                       \
  X(ENOTENROLLED, "本设备尚未登记，请先用 enroll 登记")                \
  X(EDIFFER, "各副本内容不一致")                                       \
  X(ECUT, "日志已不再保留那么早的更改，需要传送整个状态")

#endif
