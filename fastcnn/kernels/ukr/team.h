/* kernels.ukr.team: a parallel region of one thread is a plain call. Included into every file by the build (-include), in place of
 * GCC's entry to parallel regions (--wrap=GOMP_parallel).
 *
 * libgomp makes a team even for one thread: 0.3 of the 0.8 microseconds of a small kernel. Outside of all regions the loops of the
 * body see thread 0 of 1 without it. Inside a region of somebody else they would see that one's team, so there it is made. */
#ifndef FASTCNN_TEAM_H
#define FASTCNN_TEAM_H

extern int omp_get_level(void);

void __real_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
void __wrap_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);

__attribute__((weak, visibility("hidden"))) void __wrap_GOMP_parallel(void (*body)(void *), void *data, unsigned threads,
                                                                      unsigned flags) {
    if (threads == 1 && omp_get_level() == 0)
        body(data);
    else
        __real_GOMP_parallel(body, data, threads, flags);
}

#endif
