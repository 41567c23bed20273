"""The programs of the rasteriser, GLSL 3.30; `rasteriser` says what they are given."""

BONES = 32

# World position -> pixels: `view` is the camera's, or the main light's for shadows.
_MOVED = f"""
uniform mat4 bones[{BONES}];
uniform mat4 view;
in vec3 at;
in uvec4 bone;
in vec4 weight;
mat4 moved() {{
    return weight.x * bones[bone.x] + weight.y * bones[bone.y]
        + weight.z * bones[bone.z] + weight.w * bones[bone.w];
}}
"""

SHADOW_VERTEX = f"""#version 330
{_MOVED}
void main() {{ gl_Position = view * (moved() * vec4(at, 1.0)); }}
"""

SHADOW_FRAGMENT = """#version 330
void main() {}
"""

# The film: a shoulder, gamma 2. Samples of a pixel are averaged after it, else the
# edges of what stands before a bright sky would be jagged.
_FILM = """
uniform vec3 gain;
vec4 film(vec3 radiance) {
    vec3 x = gain * radiance;
    return vec4(sqrt(min(x * (1.0 + x / 9.0) / (1.0 + x), 1.0)), 1.0);
}
"""

# Light and shadow: shared by people, things and the room.
_LIGHT = """
uniform vec3 harmonics[9];
uniform vec3 towards;
uniform vec3 light;
uniform mat4 shadow_view;
uniform sampler2DShadow shadow;
uniform float softness;
float lit(vec3 world, float bias) {
    vec4 p = shadow_view * vec4(world, 1.0);
    vec3 q = p.xyz * 0.5 + 0.5;
    if (any(lessThan(q, vec3(0.0))) || any(greaterThan(q, vec3(1.0)))) return 1.0;
    float sum = 0.0;
    for (int i = -1; i <= 1; i += 2)
        for (int j = -1; j <= 1; j += 2)
            sum += texture(shadow, vec3(q.xy + softness * vec2(i, j), q.z - bias));
    return sum / 4.0;
}
vec3 ambient(vec3 n) {
    vec3 sum = harmonics[0] * 0.282095
        + harmonics[1] * 0.488603 * n.y
        + harmonics[2] * 0.488603 * n.z
        + harmonics[3] * 0.488603 * n.x
        + harmonics[4] * 1.092548 * n.x * n.y
        + harmonics[5] * 1.092548 * n.y * n.z
        + harmonics[6] * 0.315392 * (3.0 * n.z * n.z - 1.0)
        + harmonics[7] * 1.092548 * n.x * n.z
        + harmonics[8] * 0.546274 * (n.x * n.x - n.y * n.y);
    return max(sum, 0.1 * harmonics[0] * 0.282095);
}
"""

# Triangles of a person are smaller than pixels: light is computed once per vertex.
PERSON_VERTEX = f"""#version 330
{_MOVED}
{_LIGHT}
uniform vec3 eye;
uniform float gloss;
uniform float open;  // 1 where triangles are seen from behind as well
in vec3 normal;
in vec2 uv;
in vec3 paint;
out vec3 matt;
out vec3 shine;
out vec2 place;
void main() {{
    mat4 bend = moved();
    vec4 here = bend * vec4(at, 1.0);
    vec3 n = normalize(mat3(bend) * normal);
    vec3 back = normalize(eye - here.xyz);
    if (open > 0.5 && dot(n, back) < 0.0) n = -n;
    float facing = dot(n, towards);
    float free = facing > 0.0 ? lit(here.xyz + 0.012 * n, 0.004) : 0.0;
    matt = paint * (ambient(n) + light * max(facing, 0.0) * free);
    float mirrored = max(dot(n, normalize(back + towards)), 0.0);
    for (int i = 0; i < 4; ++i) mirrored *= mirrored;
    float edge = 1.0 - max(dot(n, back), 0.0);
    edge *= edge; edge *= edge;
    shine = gloss * (light * free * mirrored + edge * ambient(reflect(-back, n)));
    place = uv;
    gl_Position = view * here;
}}
"""

PERSON_FRAGMENT = f"""#version 330
{_FILM}
uniform sampler2D picture;
uniform vec4 recolour;  // rgb, and how much of it
uniform float cut;
in vec3 matt;
in vec3 shine;
in vec2 place;
out vec4 seen;
void main() {{
    vec4 texel = texture(picture, place);
    if (texel.a < cut) discard;
    vec3 albedo = texel.rgb * texel.rgb;
    float grey = dot(albedo, vec3(0.2126, 0.7152, 0.0722));
    albedo = mix(albedo, recolour.rgb * grey, recolour.a);
    seen = film(albedo * matt + shine);
}}
"""

# A sphere of radius w at xyz keeps light of the room from a point.
_SPHERES = """
uniform vec4 spheres[12];
float open(vec3 world, vec3 n, float strength) {
    float seen = 1.0;
    for (int i = 0; i < 12; ++i) {
        vec3 d = spheres[i].xyz - world;
        float far = max(dot(d, d), spheres[i].w * spheres[i].w);
        float cover = max(dot(n, d) * inversesqrt(far), 0.0) * spheres[i].w
            * spheres[i].w / far;
        seen *= 1.0 - strength * cover;
    }
    return seen;
}
"""

ROOM_VERTEX = """#version 330
in vec2 at;
out vec2 pixel;
void main() {
    pixel = at;
    gl_Position = vec4(at, 1.0, 1.0);
}
"""

# Rays onto the floor, or the dome, and from there into the panorama.
ROOM_FRAGMENT = f"""#version 330
{_FILM}
{_LIGHT}
{_SPHERES}
uniform sampler2D panorama;
uniform mat3 rays;  // from (x, y, 1) in the picture, -1 to 1, to the world
uniform vec3 eye;
uniform vec3 middle;  // of the dome: where the panorama's camera stands
uniform float radius;
uniform float yaw;
uniform float grain;
in vec2 pixel;
out vec4 seen;
float random(vec2 p) {{
    return fract(sin(dot(p, vec2(12.9898, 78.233))) * 43758.5453);
}}
float smooth_random(vec2 p) {{
    vec2 i = floor(p), f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(random(i), random(i + vec2(1, 0)), f.x),
        mix(random(i + vec2(0, 1)), random(i + vec2(1, 1)), f.x), f.y);
}}
void main() {{
    vec3 ray = normalize(rays * vec3(pixel, 1.0));
    float floor_at = ray.y < -1e-4 ? -eye.y / ray.y : 1e9;
    vec3 here = eye + floor_at * ray;
    float rough = 0.15;
    vec3 dark = vec3(1.0);
    vec3 arm = eye - vec3(middle.x, 0.0, middle.z);
    float b = dot(arm, ray);
    float dome_at = -b + sqrt(max(b * b - dot(arm, arm) + radius * radius, 0.0));
    if (floor_at < dome_at) {{
        vec3 up = vec3(0.0, 1.0, 0.0);
        vec3 room = ambient(up);
        vec3 sun = light * max(towards.y, 0.0);
        rough = 1.0;
        dark = (room * open(here, up, 0.8) + sun * lit(here, 0.002)) / (room + sun);
    }} else {{
        here = eye + dome_at * ray;
    }}
    vec3 d = normalize(here - middle);
    float around = atan(d.x, -d.z) + yaw;
    float down = acos(clamp(d.y, -1.0, 1.0));
    vec2 place = vec2(around / 6.2831853 + 0.5, down / 3.14159265);
    vec3 radiance = textureLod(panorama, place, 0.0).rgb;
    vec2 p = place * vec2(400.0, 200.0);
    float noise = smooth_random(p) + smooth_random(2.7 * p);
    radiance *= max(1.0 + grain * rough * (noise - 1.0), 0.1);
    seen = film(radiance * dark);
}}
"""

THING_VERTEX = """#version 330
uniform mat4 model;
uniform mat4 view;
in vec3 at;
in vec3 normal;
out vec3 world;
out vec3 outward;
out vec3 place;
void main() {
    vec4 here = model * vec4(at, 1.0);
    world = here.xyz;
    outward = normalize(transpose(inverse(mat3(model))) * normal);
    place = at * vec3(length(model[0].xyz), length(model[1].xyz), length(model[2].xyz));
    gl_Position = view * here;
}
"""

THING_FRAGMENT = f"""#version 330
{_FILM}
{_LIGHT}
uniform vec3 colours[2];
uniform vec3 pattern;  // stripes per metre along each axis; 0 is plain
uniform vec3 eye;
in vec3 world;
in vec3 outward;
in vec3 place;
out vec4 seen;
void main() {{
    vec3 n = normalize(outward);
    if (dot(n, eye - world) < 0.0) n = -n;
    float which = 0.0;
    vec3 wave = sin(6.2831853 * pattern * place);
    float sum = wave.x + wave.y + wave.z;
    which = smoothstep(-0.1, 0.1, sum);
    if (dot(pattern, pattern) == 0.0) which = 0.0;
    vec3 albedo = mix(colours[0], colours[1], which);
    float facing = max(dot(n, towards), 0.0);
    float free = lit(world + 0.02 * n, 0.004);
    seen = film(albedo * (ambient(n) + light * facing * free));
}}
"""
