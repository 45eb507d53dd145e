/* Sum the photons of powder frames over rings about the beam: rings FRAMES THREADS

   A frame of 1024 x 1024 pixels holds a flat background and one ring of known radius and width. Prints the photons
   per frame (all rings together), the radius of the brightest ring, and its photons per pixel. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { SIDE = 1024, BINS = 725 };
static const double RADIUS = 300.0, WIDTH = 4.0, HEIGHT = 1000.0, BACKGROUND = 5.0;

int main(int count, char **words)
{
    long frames = count > 1 ? atol(words[1]) : 0;
    if (frames < 1) {
        fprintf(stderr, "rings: write the number of frames, 1 or more, and the number of threads\n");
        return 2;
    }
#ifdef _OPENMP
    omp_set_num_threads(count > 2 ? atoi(words[2]) : 1);
#endif
    unsigned *frame = malloc(sizeof *frame * SIDE * SIDE);
    unsigned short *bin = malloc(sizeof *bin * SIDE * SIDE);
    if (!frame || !bin) {
        fprintf(stderr, "rings: out of memory\n");
        return 1;
    }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double r = hypot(x - SIDE / 2 + 0.5, y - SIDE / 2 + 0.5);
            bin[y * SIDE + x] = (unsigned short)r;
            frame[y * SIDE + x] = (unsigned)lround(BACKGROUND + HEIGHT * exp(-0.5 * pow((r - RADIUS) / WIDTH, 2)));
        }
    unsigned long long sums[BINS] = {0}, pixels[BINS] = {0};
#pragma omp parallel for reduction(+ : sums[:BINS], pixels[:BINS])
    for (long f = 0; f < frames; f++)
        for (int p = 0; p < SIDE * SIDE; p++) {
            sums[bin[p]] += frame[p];
            pixels[bin[p]] += 1;
        }
    unsigned long long total = 0;
    int brightest = 0;
    for (int b = 0; b < BINS; b++) {
        total += sums[b];
        if (pixels[b] && sums[b] * pixels[brightest] > sums[brightest] * pixels[b])
            brightest = b;
    }
    printf("photons = %.6f\n", (double)total / (double)frames);
    printf("radius = %.1f\n", brightest + 0.5);
    printf("height = %.6f\n", (double)sums[brightest] / (double)pixels[brightest]);
    free(frame);
    free(bin);
    return 0;
}
