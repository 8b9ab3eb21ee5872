/* Lines over axes from 0, as SVG: enough to see whether something grows that should not. */
#include <math.h>
#include <stdio.h>

#include "core/err.h"
#include "tests/bench/bench.h"

#define WIDE 420.0
#define HIGH 300.0
#define LEFT 64.0
#define BELOW 48.0
#define ABOVE 40.0
#define RIGHT 16.0

static const char *const colours[] = {"#1f5fa8", "#c2541b", "#2f7d4f", "#7a3f8f"};

/* The next of 1, 2, 5 times a power of ten, so that about five steps reach the end. */
static double step_of(double greatest) {
  double raw = greatest / 5, base = pow(10, floor(log10(raw)));
  return raw <= base ? base : raw <= 2 * base ? 2 * base : raw <= 5 * base ? 5 * base : 10 * base;
}

static void axes(FILE *to, const bench_plot *p, double most_x, double most_y) {
  double wide = WIDE - LEFT - RIGHT, high = HIGH - BELOW - ABOVE;
  fprintf(to, "<text x='%g' y='20' font-weight='bold'>%s</text>\n", LEFT, p->title);
  for (double y = 0, d = step_of(most_y); y <= most_y * 1.0001; y += d) {
    double at = HIGH - BELOW - high * y / most_y;
    fprintf(to, "<line x1='%g' x2='%g' y1='%.1f' y2='%.1f' stroke='#ddd'/>\n", LEFT, WIDE - RIGHT,
            at, at);
    fprintf(to, "<text x='%g' y='%.1f' text-anchor='end'>%g</text>\n", LEFT - 6, at + 4, y);
  }
  for (double x = 0, d = step_of(most_x); x <= most_x * 1.0001; x += d)
    fprintf(to, "<text x='%.1f' y='%g' text-anchor='middle'>%g</text>\n", LEFT + wide * x / most_x,
            HIGH - BELOW + 16, x);
  fprintf(to, "<text x='%g' y='%g' text-anchor='middle'>%s</text>\n", LEFT + wide / 2, HIGH - 12,
          p->x);
  fprintf(to, "<text x='14' y='%g' transform='rotate(-90 14 %g)' text-anchor='middle'>%s</text>\n",
          ABOVE + high / 2, ABOVE + high / 2, p->y);
}

static void draw(FILE *to, const bench_plot *p, double at) {
  double most_x = 0, most_y = 0, wide = WIDE - LEFT - RIGHT, high = HIGH - BELOW - ABOVE;
  for (int i = 0; i < p->n; i++)
    for (int k = 0; k < p->lines[i].n; k++) {
      most_x = fmax(most_x, p->lines[i].x[k]);
      most_y = fmax(most_y, p->lines[i].y[k]);
    }
  if (most_x <= 0 || most_y <= 0) return;
  most_y *= 1.05;
  fprintf(to, "<g transform='translate(%g 0)'>\n", at);
  axes(to, p, most_x, most_y);
  for (int i = 0; i < p->n; i++) {
    const bench_line *l = &p->lines[i];
    const char *colour = colours[i % 4];
    fprintf(to, "<polyline fill='none' stroke-width='1.5' stroke='%s' points='", colour);
    for (int k = 0; k < l->n; k++)
      fprintf(to, "%.1f,%.1f ", LEFT + wide * l->x[k] / most_x,
              HIGH - BELOW - high * l->y[k] / most_y);
    fprintf(to, "'/>\n<text x='%g' y='%g' fill='%s' text-anchor='end'>%s</text>\n", WIDE - RIGHT,
            HIGH - BELOW - 8 - 14.0 * i, colour, l->name);
  }
  fprintf(to, "</g>\n");
}

void bench_svg(const char *path, const bench_plot *plots, int n) {
  FILE *to = fopen(path, "w");
  if (!to) bench_fail(path, QM_EIO);
  fprintf(to,
          "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %g %g' width='%g' height='%g' "
          "font-family='sans-serif' font-size='11'>\n<rect width='100%%' height='100%%' "
          "fill='white'/>\n",
          WIDE * n, HIGH, WIDE * n, HIGH);
  for (int i = 0; i < n; i++) draw(to, &plots[i], WIDE * i);
  fprintf(to, "</svg>\n");
  if (fclose(to) != 0) bench_fail(path, QM_EIO);
}
