#include <qianmo.h>
