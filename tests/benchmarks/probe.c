/* The program the benchmarks start: it says when it was exec'ed, at next to no cost of its own.
 *
 *   probe FILE            appends "REALTIME_NS PID\n" to FILE and ends
 *   probe FILE sleep S    the same, then sleeps S seconds
 *   probe FILE lines N    the same, then writes lines of 80 bytes to stdout, N bytes in all
 *
 * CLOCK_REALTIME, because that is what every program compared can be related to.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct timespec now;
    char line[96];
    int length, file;

    clock_gettime(CLOCK_REALTIME, &now);
    if (argc < 2) return 2;
    file = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    length = snprintf(line, sizeof line, "%lld %ld\n", now.tv_sec * 1000000000LL + now.tv_nsec, (long)getpid());
    if (file < 0 || write(file, line, length) != length) return 1; /* O_APPEND: lines of others are never torn */
    close(file);
    if (argc == 4 && strcmp(argv[2], "sleep") == 0) {
        sleep(atoi(argv[3]));
    } else if (argc == 4 && strcmp(argv[2], "lines") == 0) {
        long long left = atoll(argv[3]), number = 0;
        memset(line, '.', 79);
        line[79] = '\n';
        for (; left > 0; left -= 80) { /* each line has its number, or a lost or doubled piece would not be seen */
            long long digits = number++;
            for (int place = 11; place >= 0; place--, digits /= 10) line[place] = '0' + digits % 10;
            if (fwrite(line, 1, left < 80 ? left : 80, stdout) == 0) return 1;
        }
        if (fflush(stdout) != 0) return 1;
    }
    return 0;
}
